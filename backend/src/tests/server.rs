//! A server in this process, on a free port, in a temporary data folder.

use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    config::{Cli, Config},
    store::meta,
};

/// A running server.
pub(super) struct TestServer {
    /// `http://127.0.0.1:PORT`.
    pub(super) url: String,
    /// Makes the first account.
    pub(super) setup_code: String,
    stop: CancellationToken,
    running: JoinHandle<()>,
    config: Config,
    data: TempDir,
}

impl TestServer {
    /// Starts a server as it comes.
    pub(super) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts a server with more options.
    pub(super) async fn with(options: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let data = tempfile::tempdir().unwrap();
        let path = data.path().display().to_string();
        let mut args = vec!["beckon-server", "--data", &path, "--listen", "127.0.0.1:0"];
        let postgres = meta::check::new_postgres().await.unwrap();
        args.extend(postgres.iter().flat_map(|url| ["--database", url.as_str()]));
        let config = Cli::load(args.iter().chain(options).collect::<Vec<_>>())
            .unwrap()
            .config;
        let kept = config.clone();
        let (lines, mut told) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let running = tokio::spawn(async move {
            crate::run(config, move |line| lines.send(line).unwrap(), stopped)
                .await
                .unwrap();
        });
        let url = told
            .recv()
            .await
            .unwrap()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        let setup_code = told.recv().await.unwrap().split_once('#').unwrap().1.to_owned();
        Self {
            url,
            setup_code,
            stop,
            running,
            config: kept,
            data,
        }
    }

    /// Its data as another process sees it, for tests that put something in its way or let rows grow old.
    pub(super) async fn beside(&self) -> App {
        crate::serve::open(
            self.config.clone(),
            self.data.path(),
            "127.0.0.1:1".parse().unwrap(),
            false,
        )
        .await
        .unwrap()
    }

    /// Stops it and waits until it has ended.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}
