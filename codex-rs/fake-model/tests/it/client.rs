//! A plain HTTP client that keeps what came before a connection broke.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use orch_fake_model::scenario::Scenario;
use orch_fake_model::server::Server;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Bytes,
    /// Whether the body broke off.
    pub(crate) broken: bool,
}

impl Answer {
    /// The data of its events.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        text.lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    /// The types of its events.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.events()
            .iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The finished items in it.
    pub(crate) fn items(&self) -> Vec<Value> {
        let done = self
            .events()
            .into_iter()
            .filter(|event| event["type"] == "response.output_item.done");
        done.map(|event| event["item"].clone()).collect()
    }
}

/// A server playing `scenario`.
pub(crate) fn serve(scenario: Value) -> Server {
    Server::start(Scenario::from_value(scenario).unwrap()).unwrap()
}

/// A server with one reply.
pub(crate) fn serve_one(reply: Value) -> Server {
    serve(json!({"replies": [reply]}))
}

/// A request as the engine sends it, with one user message.
pub(crate) fn saying(text: &str) -> Value {
    json!({"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]})
}

/// Asks for an answer on a connection of its own.
pub(crate) async fn ask(server: &Server, body: Value) -> Answer {
    send(
        server,
        Method::POST,
        "/v1/responses",
        &[],
        body.to_string().into(),
    )
    .await
}

/// Sends any request on a connection of its own.
pub(crate) async fn send(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Answer {
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driving = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost");
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    let response = sender
        .send_request(request.body(Full::new(body)).unwrap())
        .await
        .unwrap();
    let (head, mut incoming) = response.into_parts();
    let mut answer = Answer {
        status: head.status.as_u16(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: Bytes::new(),
        broken: false,
    };
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Err(_) => answer.broken = true,
        }
        if answer.broken {
            break;
        }
    }
    driving.abort();
    answer.body = body.into();
    answer
}
