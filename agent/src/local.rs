//! How other processes of the same user reach the running agent: a port of the loopback interface, and a secret in the
//! state folder that only the user can read. One way for all platforms, whatever the length of the folder's path.

use std::time::Duration;

use beckon_shared::{
    error::{ErrorCode, Refusal},
    path::Label,
    time::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{clock, lan::status::Seen, state::StateDir};

/// Where the port and the secret stand.
const FILE: &str = "agent.json";
/// No line is longer. Bytes.
const LINE_MAX: u64 = 256 << 10;
/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the agent may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LocalAsk {
    /// How it is.
    Status,
    /// To end.
    Stop,
    /// To read again what its owner opened and allows.
    Reload,
    /// Where it is reached directly.
    Lan,
}

/// How the running agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Its process.
    pub(crate) pid: u32,
    /// Version of the program.
    pub(crate) version: String,
    /// The server.
    pub(crate) server: String,
    /// The machine's id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: Label,
    /// Whether it is connected.
    pub(crate) online: bool,
    /// Names of the open roots.
    pub(crate) roots: Vec<Label>,
    /// Orders that are not over.
    pub(crate) orders: usize,
    /// What its owner should know, such as a file of its state that was damaged.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
    /// When it was started.
    pub(crate) started: Timestamp,
    /// Its port for direct sessions; nothing while it listens nowhere.
    #[serde(default)]
    pub(crate) lan_port: Option<u16>,
}

#[derive(Serialize, Deserialize)]
struct Door {
    port: u16,
    secret: String,
}

#[derive(Serialize, Deserialize)]
struct Question {
    secret: String,
    ask: LocalAsk,
}

/// The running agent's end.
pub(crate) struct Listener {
    tcp: TcpListener,
    secret: String,
    state: StateDir,
}

impl Listener {
    /// Opens the door and writes down where it is.
    pub(crate) async fn open(state: &StateDir) -> Result<Self, Refusal> {
        let no_port = |cause: std::io::Error| {
            Refusal::new(
                ErrorCode::Internal,
                format!("no port of the loopback interface can be opened: {cause}; check the system's limits"),
            )
        };
        let tcp = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(no_port)?;
        let port = tcp.local_addr().map_err(no_port)?.port();
        let secret = hex::encode(clock::random::<32>());
        let door = serde_json::to_vec(&Door {
            port,
            secret: secret.clone(),
        })
        .unwrap_or_default();
        state.write_bytes(FILE, &door)?;
        Ok(Self {
            tcp,
            secret,
            state: state.clone(),
        })
    }

    /// The next question of somebody who knows the secret, and where the answer goes.
    pub(crate) async fn next(&self) -> (LocalAsk, Asker) {
        loop {
            match self.tcp.accept().await {
                Ok((stream, _)) => {
                    if let Some(asked) = self.question(stream).await {
                        return asked;
                    }
                }
                Err(cause) => {
                    tracing::debug!(%cause, "a local connection failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn question(&self, mut stream: TcpStream) -> Option<(LocalAsk, Asker)> {
        let question: Question = tokio::time::timeout(TIMEOUT, read_line(&mut stream)).await.ok()??;
        // Hashes are compared in constant time.
        let is_known = blake3::hash(question.secret.as_bytes()) == blake3::hash(self.secret.as_bytes());
        is_known.then_some((question.ask, Asker(stream)))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.state.remove(FILE);
    }
}

/// Who waits for an answer.
pub(crate) struct Asker(TcpStream);

impl Asker {
    /// Answers. Who asked for the end sees it when this is dropped.
    pub(crate) async fn answer<T: Serialize>(&mut self, answer: &Result<T, Refusal>) {
        let mut line = serde_json::to_vec(answer).unwrap_or_default();
        line.push(b'\n');
        let _ = tokio::time::timeout(TIMEOUT, self.0.write_all(&line)).await;
    }
}

/// How the agent of this state folder is; nothing if none runs.
pub(crate) async fn status(state: &StateDir) -> Result<Option<Status>, Refusal> {
    let asked = ask(state, LocalAsk::Status).await?;
    asked.map(|(status, _)| status).transpose()
}

/// Where the running agent is reached directly; nothing if none runs.
pub(crate) async fn lan(state: &StateDir) -> Result<Option<Seen>, Refusal> {
    let asked = ask(state, LocalAsk::Lan).await?;
    asked.map(|(seen, _)| seen).transpose()
}

/// Has the running agent read again what its owner opened; false if none runs.
pub(crate) async fn reload(state: &StateDir) -> Result<bool, Refusal> {
    let asked = ask::<()>(state, LocalAsk::Reload).await?;
    asked.map_or(Ok(false), |(done, _)| done.map(|()| true))
}

/// Ends the running agent and waits until it has ended; false if none runs.
pub(crate) async fn stop(state: &StateDir) -> Result<bool, Refusal> {
    let Some((done, mut stream)) = ask::<()>(state, LocalAsk::Stop).await? else {
        return Ok(false);
    };
    done?;
    let ended = async { while matches!(stream.read(&mut [0; 64]).await, Ok(len) if len > 0) {} };
    tokio::time::timeout(STOP_TIMEOUT, ended).await.map_err(|_| {
        Refusal::new(
            ErrorCode::Internal,
            "the agent was asked to stop but still runs after 30 s; look at its log, or end its process",
        )
    })?;
    Ok(true)
}

type Answered<T> = Option<(Result<T, Refusal>, TcpStream)>;

async fn ask<T: DeserializeOwned>(state: &StateDir, ask: LocalAsk) -> Result<Answered<T>, Refusal> {
    let Some(door) = state.read_bytes(FILE, LINE_MAX as usize)? else {
        return Ok(None);
    };
    let Ok(Door { port, secret }) = serde_json::from_slice(&door) else {
        return Ok(None);
    };
    // The file of an agent that was killed leads nowhere, or to a stranger, who cannot answer with what is expected.
    let Ok(mut stream) = TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).await else {
        return Ok(None);
    };
    let mut line = serde_json::to_vec(&Question { secret, ask }).unwrap_or_default();
    line.push(b'\n');
    if stream.write_all(&line).await.is_err() {
        return Ok(None);
    }
    let answer = tokio::time::timeout(TIMEOUT, read_line(&mut stream)).await;
    let answer: Option<Result<T, Refusal>> = answer.map_err(|_| {
        Refusal::new(
            ErrorCode::Internal,
            "the agent does not answer; look at its log, or end its process and start it again",
        )
    })?;
    Ok(answer.map(|answer| (answer, stream)))
}

async fn read_line<T: DeserializeOwned>(stream: &mut TcpStream) -> Option<T> {
    let mut line = String::new();
    BufReader::new(stream).take(LINE_MAX).read_line(&mut line).await.ok()?;
    serde_json::from_str(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        (folder, state)
    }

    #[tokio::test]
    async fn nothing_answers_where_no_agent_runs() {
        let (_folder, state) = state();
        assert_eq!(status(&state).await, Ok(None));
        assert_eq!(stop(&state).await, Ok(false));
    }

    #[tokio::test]
    async fn who_asks_for_the_end_waits_for_it() {
        let (_folder, state) = state();
        let listener = Listener::open(&state).await.unwrap();
        let agent = tokio::spawn(async move {
            let (asked, mut asker) = listener.next().await;
            asker.answer(&Ok(())).await;
            asked
        });
        assert_eq!(stop(&state).await, Ok(true));
        assert_eq!(agent.await.unwrap(), LocalAsk::Stop);
        assert_eq!(status(&state).await, Ok(None), "the door is gone with the agent");
    }

    #[tokio::test]
    async fn a_stranger_is_not_answered() {
        let (_folder, state) = state();
        let listener = Listener::open(&state).await.unwrap();
        let port = listener.tcp.local_addr().unwrap().port();
        let door = serde_json::to_vec(&Door {
            port,
            secret: "guessed".to_owned(),
        })
        .unwrap();
        let stranger = StateDir::open(&state.path().join("stranger")).unwrap();
        stranger.write_bytes(FILE, &door).unwrap();
        tokio::select! {
            _ = listener.next() => panic!("a stranger was let in"),
            answer = status(&stranger) => assert_eq!(answer, Ok(None)),
        }
    }
}
