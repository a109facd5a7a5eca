//! HTTP/1.1 on loopback: the one file that knows hyper. It reads requests and sends what the script answers.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::record::{Answered, Asked, Log};
use crate::scenario::{Fault, HttpError};
use crate::script::{Script, Taken};
use crate::sse::{self, Part};

/// What all connections share.
pub(crate) struct Stage {
    pub(crate) script: Mutex<Script>,
    pub(crate) log: Log,
    /// A permit lets one held answer go on.
    pub(crate) releases: Semaphore,
}

/// Bodies beyond this are refused, in bytes.
const LARGEST_BODY: usize = 64 << 20;

/// Takes connections until it is dropped or taking one fails. Each connection is a task of its own: they end with the
/// runtime.
pub(crate) async fn serve(listener: TcpListener, stage: Arc<Stage>) -> io::Error {
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => return error,
        };
        let stage = Arc::clone(&stage);
        let service = service_fn(move |request| {
            let stage = Arc::clone(&stage);
            async move { Ok::<_, Infallible>(answer(request, stage).await) }
        });
        // A connection that breaks is the client's affair, or a `cut` of the script's.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// The name of a header that HTTP would not carry, if there is one.
pub(crate) fn impossible_header(headers: &BTreeMap<String, String>) -> Option<&str> {
    let mut names = headers.iter().filter(|(name, value)| {
        HeaderName::from_bytes(name.as_bytes()).is_err() || HeaderValue::from_str(value).is_err()
    });
    names.next().map(|(name, _)| name.as_str())
}

type Answer = Response<StreamBody<Frames>>;
type Frames = std::pin::Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>;

async fn answer(request: Request<Incoming>, stage: Arc<Stage>) -> Answer {
    if request.method() == Method::GET && request.uri().path() == "/v1/models" {
        return fixed(
            StatusCode::OK,
            "application/json",
            r#"{"object":"list","data":[],"models":[]}"#,
        );
    }
    let (asked, flaw) = read(request).await;
    // From here to the log nothing awaits: on a runtime of one thread the log is in the order of the script.
    let taken = match flaw {
        Some((status, reason)) => Err((status, reason)),
        None => {
            let taken = stage
                .script
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(&asked);
            taken.map_err(|reason| (StatusCode::BAD_REQUEST, reason))
        }
    };
    let answered = match &taken {
        Ok(taken) => taken.answered.clone(),
        Err((_, reason)) => Answered::Refused(reason.clone()),
    };
    if let Err(error) = stage.log.add(asked, answered) {
        return fixed(
            StatusCode::INSUFFICIENT_STORAGE,
            "text/plain",
            &format!("Failed to write the record file: {error}"),
        );
    }
    match taken {
        Ok(taken) => play(taken, stage).await,
        Err((status, reason)) => fixed(
            status,
            "text/plain",
            &format!("The scripted model refuses: {reason}"),
        ),
    }
}

/// Reads a request, and says what is wrong with it, if anything is.
async fn read(request: Request<Incoming>) -> (Asked, Option<(StatusCode, String)>) {
    let (head, body) = request.into_parts();
    let headers = head.headers.iter().map(|(name, value)| {
        (
            name.to_string(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    });
    let mut asked = Asked {
        path: head.uri.path().to_owned(),
        headers: headers.collect(),
        body: Value::Null,
    };
    if head.method != Method::POST || asked.path != "/v1/responses" {
        let reason = format!("{} {} is not scripted", head.method, asked.path);
        return (asked, Some((StatusCode::NOT_FOUND, reason)));
    }
    if let Some(encoding) = asked.headers.get(CONTENT_ENCODING.as_str()) {
        let reason = format!("bodies in {encoding} are not understood");
        return (asked, Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)));
    }
    let bytes = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            return (
                asked,
                Some((StatusCode::PAYLOAD_TOO_LARGE, error.to_string())),
            );
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(body) => asked.body = body,
        Err(error) => {
            return (
                asked,
                Some((
                    StatusCode::BAD_REQUEST,
                    format!("the body is no JSON: {error}"),
                )),
            );
        }
    }
    (asked, None)
}

async fn play(taken: Taken, stage: Arc<Stage>) -> Answer {
    tokio::time::sleep(Duration::from_millis(taken.reply.delay_ms)).await;
    if let Some(Fault::Hang) = taken.reply.fault {
        released(&stage).await;
    }
    let (status, kind) = match &taken.reply.fault {
        Some(Fault::Status(HttpError { code, body })) => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (
                status,
                if body.is_string() {
                    "text/plain"
                } else {
                    "application/json"
                },
            )
        }
        _ => (StatusCode::OK, "text/event-stream"),
    };
    let mut answer = response(status, kind, played(sse::body(&taken).into(), stage));
    for (name, value) in &taken.reply.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// Sends the parts one by one; dropped by hyper when the client goes away.
fn played(
    parts: VecDeque<Part>,
    stage: Arc<Stage>,
) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    stream::unfold((parts, stage), |(mut parts, stage)| async move {
        loop {
            match parts.pop_front()? {
                Part::Bytes(bytes) => return Some((Ok(Frame::data(bytes)), (parts, stage))),
                Part::Pause(pause) => tokio::time::sleep(pause).await,
                Part::Hold => released(&stage).await,
                Part::Cut => {
                    // hyper flushes what it has when the body is pending, and drops it when the body fails.
                    tokio::task::yield_now().await;
                    return Some((
                        Err(io::ErrorKind::ConnectionAborted.into()),
                        (VecDeque::new(), stage),
                    ));
                }
            }
        }
    })
}

/// Returns when a release is there for this answer: they go to the held answers in their order.
async fn released(stage: &Stage) {
    if let Ok(permit) = stage.releases.acquire().await {
        permit.forget();
    }
}

fn fixed(status: StatusCode, kind: &'static str, body: &str) -> Answer {
    let frame = Frame::data(Bytes::copy_from_slice(body.as_bytes()));
    response(status, kind, stream::iter([Ok(frame)]))
}

fn response(
    status: StatusCode,
    kind: &'static str,
    frames: impl Stream<Item = io::Result<Frame<Bytes>>> + Send + 'static,
) -> Answer {
    let mut response = Response::new(StreamBody::new(Box::pin(frames) as Frames));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
