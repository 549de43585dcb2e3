//! A machine that the test plays, with two ways to it that the test spoils: every byte passes through its hands.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use beckon_shared::{
    browse::{Answer, Ask, FromMachine, ToMachine},
    certificate::Role,
    device::Platform,
    error::ErrorCode,
    session::{Expected, Responder},
    statement::Standing,
    wire,
};
use futures_util::{FutureExt, SinkExt, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf},
    sync::watch,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role as End},
};
use tokio_util::sync::CancellationToken;

use super::{Dial, Refusal, Route, Session, Way};
use crate::{agent::tests::Scene, clock, listing::Listings, session::line};

/// How it goes with dialling a way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Weather {
    /// It is there.
    Fair,
    /// It is there after a while.
    Late(Duration),
    /// Nobody answers.
    Dead,
}

/// A machine with two ways to it.
pub(super) struct Played(Arc<Machine>);

struct Machine {
    scene: Scene,
    relay: Road,
    direct: Road,
    dialled: Mutex<Vec<Way>>,
    /// How long it works on one entry.
    work: Mutex<Duration>,
    /// Hangs up when it is asked.
    breaks: AtomicBool,
    standing: AtomicUsize,
}

struct Road {
    weather: Mutex<Weather>,
    lines: Mutex<Vec<Cable>>,
    asked: AtomicUsize,
}

/// What a line that was opened runs over.
struct Cable {
    is_silent: watch::Sender<bool>,
    cut: CancellationToken,
}

impl Played {
    pub(super) fn new() -> Arc<Self> {
        let road = || Road {
            weather: Mutex::new(Weather::Fair),
            lines: Mutex::default(),
            asked: AtomicUsize::new(0),
        };
        Arc::new(Self(Arc::new(Machine {
            scene: Scene::alone(),
            relay: road(),
            direct: road(),
            dialled: Mutex::default(),
            work: Mutex::default(),
            breaks: AtomicBool::new(false),
            standing: AtomicUsize::new(0),
        })))
    }

    /// How it goes with dialling from now on.
    pub(super) fn set(&self, way: Way, weather: Weather) {
        *self.0.road(way).weather.lock().unwrap() = weather;
    }

    /// Nothing passes any more on the lines that stand, and nobody is told.
    pub(super) fn silence(&self, way: Way) {
        for line in self.0.road(way).lines.lock().unwrap().iter() {
            line.is_silent.send_replace(true);
        }
    }

    /// The lines that stand break.
    pub(super) fn cut(&self, way: Way) {
        for line in self.0.road(way).lines.lock().unwrap().iter() {
            line.cut.cancel();
        }
    }

    pub(super) fn work_for(&self, time: Duration) {
        *self.0.work.lock().unwrap() = time;
    }

    pub(super) fn break_when_asked(&self, breaks: bool) {
        self.0.breaks.store(breaks, Ordering::Relaxed);
    }

    /// What was dialled, in its order.
    pub(super) fn dialled(&self) -> Vec<Way> {
        self.0.dialled.lock().unwrap().clone()
    }

    /// How often the machine was asked over this way, signs of life left out.
    pub(super) fn asked(&self, way: Way) -> usize {
        self.0.road(way).asked.load(Ordering::Relaxed)
    }

    /// How many sessions the machine has.
    pub(super) fn standing(&self) -> usize {
        self.0.standing.load(Ordering::Relaxed)
    }
}

impl Dial for Played {
    fn dial(&self, way: Way) -> BoxFuture<'_, Result<(Session, Route), Refusal>> {
        self.0.dialled.lock().unwrap().push(way);
        let weather = *self.0.road(way).weather.lock().unwrap();
        async move {
            let (late, dead) = match weather {
                Weather::Fair => (Duration::ZERO, false),
                Weather::Late(late) => (late, false),
                Weather::Dead => (Duration::from_millis(100), true),
            };
            tokio::time::sleep(late).await;
            let (name, route, patience) = match way {
                Way::Relay => ("the relay", Route::Relay, 30),
                Way::Direct => ("the cable", Route::Lan, 2),
            };
            if dead {
                return Err(Refusal::new(ErrorCode::Away, format!("{name} is dead")));
            }
            let mut session = self.open(way).await?;
            session.patience = Duration::from_secs(patience);
            Ok((session, route))
        }
        .boxed()
    }
}

impl Played {
    async fn open(&self, way: Way) -> Result<Session, Refusal> {
        let (near, near_end) = tokio::io::duplex(64 << 10);
        let (far_end, far) = tokio::io::duplex(64 << 10);
        let (is_silent, silence) = watch::channel(false);
        let cut = CancellationToken::new();
        let pumps = both_ways(near_end, far_end, silence);
        let end = cut.clone();
        tokio::spawn(async move { end.run_until_cancelled(pumps).await });
        self.0.road(way).lines.lock().unwrap().push(Cable { is_silent, cut });
        let socket = WebSocketStream::from_raw_socket(far, End::Server, None).await;
        tokio::spawn(Arc::clone(&self.0).serve(way, socket));
        let socket = WebSocketStream::from_raw_socket(near, End::Client, None).await;
        let scene = &self.0.scene;
        Session::initiate(socket, &scene.controller(), &scene.view(), &Standing::default()).await
    }
}

async fn both_ways(near: DuplexStream, far: DuplexStream, silence: watch::Receiver<bool>) {
    let (near_out, near_in) = tokio::io::split(near);
    let (far_out, far_in) = tokio::io::split(far);
    tokio::select! {
        () = pump(near_out, far_in, silence.clone()) => {}
        () = pump(far_out, near_in, silence) => {}
    }
}

async fn pump(mut from: ReadHalf<DuplexStream>, mut to: WriteHalf<DuplexStream>, mut silence: watch::Receiver<bool>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let is_over = silence.wait_for(|is_silent| !is_silent).await.is_err();
        if is_over || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

impl Machine {
    fn road(&self, way: Way) -> &Road {
        match way {
            Way::Relay => &self.relay,
            Way::Direct => &self.direct,
        }
    }

    async fn serve(self: Arc<Self>, way: Way, mut socket: WebSocketStream<DuplexStream>) {
        let agent = &self.scene.agent;
        let (standing, end) = (Standing::default(), CancellationToken::new());
        let _over = end.clone().drop_guard();
        let first = line::handshake_message(&mut socket).await.unwrap();
        let expected = Expected {
            account_key: &agent.identity.account_key,
            standing: &standing,
            roles: &[Role::Controller],
            now: clock::now(),
        };
        let responder = Responder::new(agent.identity.me(&standing), expected);
        let (reply, established) = responder.accept(&first).unwrap();
        socket.send(Message::Binary(reply.into())).await.unwrap();
        let (outgoing, mut incoming) = line::start(socket, established.channel, &end);
        let listings = Arc::new(Listings::default());
        self.standing.fetch_add(1, Ordering::Relaxed);
        while let Some(message) = incoming.next().await {
            match wire::decode(&message).unwrap() {
                ToMachine::Open { .. } => {
                    let opened = FromMachine::Opened {
                        statement: None,
                        platform: Platform::here(),
                    };
                    outgoing.send(wire::encode(&opened)).await;
                }
                ToMachine::Ask { .. } if self.breaks.load(Ordering::Relaxed) => {
                    self.road(way).asked.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                ToMachine::Ask { id, body } => {
                    let (machine, outgoing, listings) = (Arc::clone(&self), outgoing.clone(), Arc::clone(&listings));
                    tokio::spawn(async move {
                        let result = machine.answer(way, &listings, body).await;
                        outgoing.send(wire::encode(&FromMachine::Reply { id, result })).await;
                    });
                }
            }
        }
        self.standing.fetch_sub(1, Ordering::Relaxed);
    }

    async fn answer(&self, way: Way, listings: &Listings, ask: Ask) -> Result<Answer, Refusal> {
        if ask == Ask::Roots {
            return Ok(Answer::Roots(Vec::new()));
        }
        self.road(way).asked.fetch_add(1, Ordering::Relaxed);
        match ask {
            Ask::Read { offset, .. } => {
                let at = usize::try_from(offset).unwrap();
                Ok(Answer::Bytes(vec![b"dear reader"[at]]))
            }
            Ask::List(ask) => listings
                .page(&*self.scene.agent.root(&ask.root)?, &ask)
                .map(Answer::Page),
            _ => {
                let work = *self.work.lock().unwrap();
                tokio::time::sleep(work).await;
                Ok(Answer::Done)
            }
        }
    }
}
