//! The pump between one client and the engine: frames go both ways in their order, rules say what becomes of each. It knows
//! no method and holds at most one frame a direction: who reads slowly slows the other side down.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{FusedFuture as _, join};
use tokio::sync::{Mutex, mpsc, watch};

use crate::link::frame::Frame;
use crate::link::{Link, LinkError, Receiver, Sender};

/// How long the last frames may take when one side has ended.
const GRACE: Duration = Duration::from_secs(2);

/// What becomes of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is, byte for byte.
    Pass,
    /// This goes on in its place.
    Replace(String),
    /// This goes back to where it came from; nothing goes on.
    Answer(String),
    /// Nothing goes on.
    Drop,
}

/// Judges the client's frames, one after the other. Waiting holds the client's later frames, and nothing else.
#[expect(
    clippy::wrong_self_convention,
    reason = "a frame comes from somewhere; nothing is converted"
)]
pub trait ClientRules: Send {
    /// What becomes of `frame`.
    fn from_client(&mut self, frame: &Frame) -> impl Future<Output = Verdict> + Send;
}

/// Judges the engine's frames, one after the other.
#[expect(
    clippy::wrong_self_convention,
    reason = "a frame comes from somewhere; nothing is converted"
)]
pub trait EngineRules: Send {
    /// What becomes of `frame`.
    fn from_engine(&mut self, frame: &Frame) -> Verdict;
}

/// Everything passes.
#[derive(Debug, Clone, Copy)]
pub struct PassAll;

impl ClientRules for PassAll {
    async fn from_client(&mut self, _: &Frame) -> Verdict {
        Verdict::Pass
    }
}

impl EngineRules for PassAll {
    fn from_engine(&mut self, _: &Frame) -> Verdict {
        Verdict::Pass
    }
}

/// Which side ended a relay, and how.
#[derive(Debug)]
pub enum RelayEnd {
    /// The client closed, or is gone.
    ClientClosed,
    /// The engine closed, or is gone.
    EngineClosed,
    /// The client broke the protocol, or the system failed.
    ClientFailed(LinkError),
    /// The engine broke the protocol, or the system failed.
    EngineFailed(LinkError),
}

/// Frames of our own, put between those that are carried.
#[derive(Debug)]
pub struct Injected {
    /// Between the engine's, to the client.
    pub to_client: mpsc::Receiver<Frame>,
    /// Between the client's, to the engine.
    pub to_engine: mpsc::Receiver<Frame>,
}

impl From<mpsc::Receiver<Frame>> for Injected {
    /// Frames to the client alone.
    fn from(to_client: mpsc::Receiver<Frame>) -> Self {
        Self {
            to_client,
            to_engine: mpsc::channel(1).1,
        }
    }
}

/// Carries frames until one side ends; then what was received before is delivered as far as it can be, and both are closed.
pub async fn relay(
    client: Link,
    engine: Link,
    client_rules: impl ClientRules,
    engine_rules: impl EngineRules,
    injected: impl Into<Injected>,
) -> RelayEnd {
    let Injected {
        to_client,
        to_engine,
    } = injected.into();
    let (client_out, engine_out) = (Mutex::new(client.sender), Mutex::new(engine.sender));
    let (stop, stopped) = watch::channel(false);
    let outward = Pump {
        source: client.receiver,
        onward: &engine_out,
        back: &client_out,
        stopped: stopped.clone(),
    };
    let inward = Pump {
        source: engine.receiver,
        onward: &client_out,
        back: &engine_out,
        stopped: stopped.clone(),
    };
    let mut outward = std::pin::pin!(outward.run(client_rules).fuse());
    let mut inward = std::pin::pin!(inward.run(Inward(engine_rules)).fuse());
    let injected = join(
        inject(to_client, &client_out, stopped.clone()),
        inject(to_engine, &engine_out, stopped),
    );
    let mut injected = std::pin::pin!(injected.fuse());
    let (end, stop_now) = loop {
        tokio::select! {
            halt = &mut outward => break match halt {
                Halt::Asked => (RelayEnd::ClientClosed, true),
                Halt::Source(end) => (RelayEnd::client(end), true),
                Halt::Onward(error) => (RelayEnd::engine(Err(error)), false),
            },
            halt = &mut inward => break match halt {
                Halt::Asked => (RelayEnd::EngineClosed, true),
                Halt::Source(end) => (RelayEnd::engine(end), true),
                Halt::Onward(error) => (RelayEnd::client(Err(error)), false),
            },
            _ = &mut injected => {}
        }
    };
    // A side that can't be written to has gone: what it sent before is still to be read, and that ends by itself. One that
    // could go on for ever is stopped after what is there now.
    stop.send_replace(stop_now);
    let rest = async {
        if !outward.is_terminated() {
            (&mut outward).await;
        }
        if !inward.is_terminated() {
            (&mut inward).await;
        }
        stop.send_replace(true);
        if !injected.is_terminated() {
            (&mut injected).await;
        }
        join(close(&client_out), close(&engine_out)).await;
    };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        tracing::debug!("a side that doesn't read was left without its last frames");
    }
    end
}

impl RelayEnd {
    fn client(end: Result<(), LinkError>) -> Self {
        match end {
            Ok(()) | Err(LinkError::Gone) => Self::ClientClosed,
            Err(error @ (LinkError::Protocol { .. } | LinkError::Io(_))) => {
                Self::ClientFailed(error)
            }
        }
    }

    fn engine(end: Result<(), LinkError>) -> Self {
        match end {
            Ok(()) | Err(LinkError::Gone) => Self::EngineClosed,
            Err(error @ (LinkError::Protocol { .. } | LinkError::Io(_))) => {
                Self::EngineFailed(error)
            }
        }
    }
}

/// The engine's rules, judged as the client's are.
struct Inward<R>(R);

impl<R: EngineRules> ClientRules for Inward<R> {
    async fn from_client(&mut self, frame: &Frame) -> Verdict {
        self.0.from_engine(frame)
    }
}

/// One direction.
struct Pump<'a> {
    source: Receiver,
    onward: &'a Mutex<Sender>,
    back: &'a Mutex<Sender>,
    stopped: watch::Receiver<bool>,
}

/// Why a direction has ended.
enum Halt {
    /// It was asked to, and nothing was left to read.
    Asked,
    /// Its source ended.
    Source(Result<(), LinkError>),
    /// Nothing can be sent onward.
    Onward(LinkError),
}

impl Pump<'_> {
    async fn run(mut self, mut rules: impl ClientRules) -> Halt {
        loop {
            let frame = match self.next().await {
                Ok(Ok(Some(frame))) => frame,
                Ok(Ok(None)) => return Halt::Source(Ok(())),
                Ok(Err(error)) => return Halt::Source(Err(error)),
                Err(halt) => return halt,
            };
            let verdict = tokio::select! {
                biased;
                verdict = rules.from_client(&frame) => verdict,
                // Nobody is left to take what is held.
                _ = self.stopped.wait_for(|stopped| *stopped) => return Halt::Asked,
            };
            let sent = match verdict {
                Verdict::Pass => self.onward.lock().await.feed(&frame).await,
                Verdict::Replace(text) => self.onward.lock().await.feed(&text.into()).await,
                Verdict::Answer(text) => {
                    let mut back = self.back.lock().await;
                    // Whoever doesn't take an answer has gone, and the source ends.
                    if back.feed(&text.into()).await.is_ok() {
                        let _ = back.flush().await;
                    }
                    Ok(())
                }
                Verdict::Drop => Ok(()),
            };
            if let Err(error) = sent {
                return Halt::Onward(error);
            }
        }
    }

    /// The next frame. Those sent before are flushed as soon as none is ready.
    async fn next(&mut self) -> Result<Result<Option<Frame>, LinkError>, Halt> {
        if let Some(ready) = self.source.next().now_or_never() {
            return Ok(ready);
        }
        if let Err(error) = self.onward.lock().await.flush().await {
            return Err(Halt::Onward(error));
        }
        tokio::select! {
            biased;
            next = self.source.next() => return Ok(next),
            _ = self.stopped.wait_for(|stopped| *stopped) => {}
        }
        // The runtime may have had no time yet to see what has arrived.
        tokio::task::yield_now().await;
        self.source.next().now_or_never().ok_or(Halt::Asked)
    }
}

/// Sends what comes by `frames` to one side, also what waits when it is stopped.
async fn inject(
    mut frames: mpsc::Receiver<Frame>,
    side: &Mutex<Sender>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let next = tokio::select! {
            biased;
            next = frames.recv() => next,
            _ = stopped.wait_for(|stopped| *stopped) => None,
        };
        let Some(frame) = next else { return };
        let mut side = side.lock().await;
        // Who doesn't take it has gone; the pump finds out.
        if side.feed(&frame).await.is_ok() {
            let _ = side.flush().await;
        }
    }
}

async fn close(sender: &Mutex<Sender>) {
    // It may have gone: then it is closed.
    let _ = sender.lock().await.close().await;
}
