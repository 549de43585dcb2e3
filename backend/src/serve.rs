//! From settings to a running server, and its orderly end.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix_web::{HttpServer, dev::ServerHandle, middleware::from_fn, web};
use anyhow::Context;

use crate::{
    admin::Watch,
    app::{self, App},
    check::{self, CheckOptions},
    clock::{Clock, SystemClock, random},
    config::{Config, Origin},
    http::{content::Reads, guard, limit::Limits, origin::Origins},
    hub::Hub,
    order,
    relay::Relays,
    setup::SetUp,
    store::{
        Store, StoreOptions,
        meta::{self, setting::Setting},
    },
    tls, worker,
};

/// Threads that answer requests.
const WORKERS: usize = 2;

/// Connections of a thread at the most, and at the least where the system lets the process open few files.
const CONNECTIONS_MAX: u64 = 2000;
const CONNECTIONS_MIN: u64 = 64;

/// Files that are left for the database, packs and what is read, whoever connects.
const FILES_KEPT: u64 = 256;

/// The file in the data folder that one server holds.
const LOCK: &str = "lock";

/// How long running bodies may go on when the server stops. Seconds.
const LAST_BODIES: u64 = 10;

/// How long control sockets get to say good-bye.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How often orders that have lapsed are looked for, and limits that have run out.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to and did.
    Stopped,
}

/// Serves until `stop` completes. `announce` gets a line when the server listens, and one that says how to set it up.
///
/// The data folder belongs to one server at a time: a second one is refused.
pub async fn run(config: Config, announce: impl Fn(String), stop: impl Future<Output = ()>) -> anyhow::Result<Ended> {
    let data = config.data_dir();
    let lock = lock(&data)?;
    let tls = config
        .tls_cert
        .as_deref()
        .zip(config.tls_key.as_deref())
        .map(|(cert, key)| tls::load(cert, key))
        .transpose()?;
    let listener = TcpListener::bind(config.listen).with_context(|| {
        format!(
            "{} is not free; stop what listens there, or choose another --listen",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    let app = web::Data::new(open(config, &data, address, tls.is_some()).await?);
    let server = {
        let app = app.clone();
        let server = HttpServer::new(move || {
            actix_web::App::new()
                .app_data(app.clone())
                .wrap(from_fn(guard::front))
                .configure(app::routes)
        });
        let server = server
            .workers(WORKERS)
            .max_connections(connections(files_max()))
            .shutdown_timeout(LAST_BODIES)
            .disable_signals();
        match tls {
            Some(tls) => server.listen_rustls_0_23(listener, tls)?,
            None => server.listen(listener)?,
        }
        .run()
    };
    note_address(&lock, app.origins.main())
        .with_context(|| format!("the data folder {} cannot be written to", data.display()))?;
    tell_where(&app, address, &announce).await?;
    let tasks = [
        tokio::spawn(order::tell_progress(app.clone())),
        tokio::spawn(tell_drive_changes(app.clone())),
        tokio::spawn(keep_up(app.clone())),
        tokio::spawn(worker::run(app.clone())),
    ];
    let handle = server.handle();
    let running = tokio::spawn(server);
    stop.await;
    end(&app, &handle).await;
    running.await??;
    for task in tasks {
        task.abort();
    }
    app.store.close().await?;
    tracing::info!("stopped");
    Ok(Ended::Stopped)
}

/// Checks what is stored and tells what it finds, a line each; true if all is well.
pub async fn check(
    config: &Config,
    read_data: bool,
    rebuild_index: bool,
    out: &mut (dyn std::io::Write + Send),
) -> anyhow::Result<bool> {
    config.expect_data()?;
    let (data, database) = (config.data_dir(), config.database_url());
    let _lock = lock(&data)?;
    Ok(check::check(
        CheckOptions {
            data,
            database,
            read_data,
            rebuild_index,
        },
        out,
    )
    .await?)
}

/// Takes the data folder for this process alone.
fn lock(data: &Path) -> anyhow::Result<File> {
    make_private(data).with_context(|| {
        format!(
            "the data folder {} cannot be made; choose another --data",
            data.display()
        )
    })?;
    if is_open_to_others(data) {
        tracing::warn!(
            "other users of this machine may look into the data folder; take that from them, as with chmod 700"
        );
    }
    // Not emptied before it is ours: a server that runs says in it where it listens.
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(data.join(LOCK))
        .with_context(|| format!("the data folder {} cannot be written to", data.display()))?;
    file.try_lock().with_context(|| {
        format!(
            "another beckon-server runs on {}; stop it, or choose another --data",
            data.display()
        )
    })?;
    file.set_len(0)
        .with_context(|| format!("the data folder {} cannot be written to", data.display()))?;
    Ok(file)
}

/// Says in the lock where the server is reached, for [`running_at`].
fn note_address(mut lock: &File, address: &Origin) -> std::io::Result<()> {
    lock.write_all(address.as_str().as_bytes())
}

/// The address of the server that runs on the data, as far as one does.
pub fn running_at(config: &Config) -> Option<String> {
    let path = config.data_dir().join(LOCK);
    if File::open(&path).ok()?.try_lock().is_ok() {
        return None;
    }
    std::fs::read_to_string(path).ok().filter(|address| !address.is_empty())
}

/// Makes a folder that only the server's user can look into.
pub(crate) fn make_private(data: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data)
}

/// Whether other users than its owner may list or enter a folder that was there before.
fn is_open_to_others(data: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(data).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = data;
        false
    }
}

/// How many files the process may have open; nothing if that has no limit.
fn files_max() -> Option<u64> {
    #[cfg(unix)]
    {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    }
    #[cfg(not(unix))]
    None
}

/// How many connections a thread may have: strangers who open all of them must not keep the store from its files.
fn connections(files_max: Option<u64>) -> usize {
    let each = files_max.map_or(CONNECTIONS_MAX, |files| {
        files.saturating_sub(FILES_KEPT) / WORKERS as u64
    });
    // At most CONNECTIONS_MAX, so it is exact.
    each.clamp(CONNECTIONS_MIN, CONNECTIONS_MAX) as usize
}

pub(crate) async fn open(config: Config, data: &Path, address: SocketAddr, tls: bool) -> anyhow::Result<App> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = StoreOptions {
        data: data.to_owned(),
        database: config.database_url(),
        reserve: config.reserve.0,
        clock: clock.clone(),
    };
    let store = Store::open(options)
        .await
        .context("the store cannot be opened; check --data and --database")?;
    let secret = own_secret(&store, &*clock).await?;
    let txn = store.meta.write().await?;
    meta::visit::end_left_open(&txn).await?;
    txn.commit().await?;
    let app = App {
        origins: Origins::new(config.public_url.clone(), address, tls).context("--listen is no address")?,
        watch: Watch::new(clock.now()),
        config,
        clock,
        store,
        hub: Hub::default(),
        live: order::Live::default(),
        news: order::News::default(),
        relays: Relays::default(),
        reads: Reads::default(),
        limits: Limits::default(),
        setup: SetUp::default(),
        secret,
    };
    order::machines_are_away(&app).await?;
    Ok(app)
}

/// The secret of this server, made when it first starts.
async fn own_secret(store: &Store, clock: &dyn Clock) -> anyhow::Result<[u8; 32]> {
    let txn = store.meta.write().await?;
    if let Some(secret) = meta::setting::get(&txn, Setting::Secret).await? {
        return secret
            .try_into()
            .map_err(|_| anyhow::anyhow!("the database is damaged; restore it from a back-up"));
    }
    let secret: [u8; 32] = random(clock);
    meta::setting::set(&txn, Setting::Secret, secret.to_vec()).await?;
    txn.commit().await?;
    Ok(secret)
}

async fn tell_where(app: &App, address: SocketAddr, announce: &impl Fn(String)) -> anyhow::Result<()> {
    let origin = app.origins.listen();
    announce(format!("listening on {origin}"));
    tracing::info!(%address, "listening");
    for hint in hints(app.config.public_url.as_ref(), app.origins.main(), address) {
        tracing::warn!("{hint}");
    }
    if meta::account::count(app.meta().read()).await? == 0 {
        let code = app.setup.issue(&*app.clock);
        announce(format!(
            "set up at {}/setup#{}",
            app.origins.main(),
            code.text().as_str()
        ));
    }
    Ok(())
}

/// What whoever starts a server that others can reach should know of how they reach it.
fn hints(public: Option<&Origin>, main: &Origin, address: SocketAddr) -> Vec<String> {
    let mut hints = Vec::new();
    if public.is_none() && address.ip().is_unspecified() {
        let scheme = if main.is_secure() { "https" } else { "http" };
        let port = address.port();
        hints.push(format!("other machines reach this server at {scheme}://ADDRESS:{port}, ADDRESS being an IP address of this machine; for a name, give --public-url"));
    }
    if !main.is_secure() && (public.is_some() || !address.ip().is_loopback()) {
        let hint = "without TLS whoever is on the way can read and change what travels: give --tls-cert and --tls-key, \
            or put a TLS proxy before the server and give --public-url https://...";
        hints.push(hint.to_owned());
    }
    hints
}

/// Sends devices away, waits until their visits are recorded, and lets bodies finish.
async fn end(app: &App, handle: &ServerHandle) {
    handle.pause().await;
    app.hub.stopping().cancel();
    // Before the first worker goes: a connection to PostgreSQL lives on the worker that opened it, and others use it too.
    app.hub.visits().close();
    if tokio::time::timeout(LAST_WORDS, app.hub.visits().wait()).await.is_err() {
        tracing::warn!("some control sockets did not end in time");
    }
    handle.stop(true).await;
}

async fn tell_drive_changes(app: web::Data<App>) {
    use tokio::sync::broadcast::error::RecvError;
    let mut changes = app.store.changes();
    loop {
        match changes.recv().await {
            Ok(change) => app.hub.drive_changed(&change.account, change.space, change.revision),
            // Each change says "read again", so those that were missed are told by the next one.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Ends the transfers whose orders have lapsed and forgets who may try again anyway, again and again.
async fn keep_up(app: web::Data<App>) {
    let mut tick = tokio::time::interval(UPKEEP_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        app.limits.sweep();
        if let Err(error) = order::expire(&app).await {
            tracing::error!(cause = %error, "orders that have lapsed were not ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;

    #[test]
    fn where_a_server_runs_is_known_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let args = [
            "beckon-server".into(),
            "--data".into(),
            folder.path().as_os_str().to_owned(),
        ];
        let config = Cli::load(args).unwrap().config;
        assert_eq!(running_at(&config), None);
        let held = lock(folder.path()).unwrap();
        note_address(&held, &"http://127.0.0.1:7".parse().unwrap()).unwrap();
        assert_eq!(running_at(&config).unwrap(), "http://127.0.0.1:7");
        assert!(lock(folder.path()).is_err());
        assert_eq!(
            running_at(&config).unwrap(),
            "http://127.0.0.1:7",
            "who is refused changes nothing"
        );
        // Not only dropped: a program that another test starts at this moment has the file open too.
        held.unlock().unwrap();
        assert_eq!(running_at(&config), None);
    }

    #[test]
    fn who_listens_to_the_network_without_tls_is_told_so() {
        let origin = |text: &str| text.parse::<Origin>().unwrap();
        let told = |public: Option<&str>, main: &str, address: &str| {
            let public = public.map(origin);
            hints(public.as_ref(), &origin(main), address.parse().unwrap()).join(" ")
        };
        assert_eq!(told(None, "http://127.0.0.1:8440", "127.0.0.1:8440"), "");
        assert_eq!(told(Some("https://b.example"), "https://b.example", "0.0.0.0:8440"), "");
        let open = told(None, "http://0.0.0.0:8440", "0.0.0.0:8440");
        assert!(
            open.contains("http://ADDRESS:8440") && open.contains("--tls-cert"),
            "{open}"
        );
        let secure = told(None, "https://0.0.0.0:443", "0.0.0.0:443");
        assert!(
            secure.contains("https://ADDRESS:443") && !secure.contains("--tls-cert"),
            "{secure}"
        );
        assert!(told(Some("http://b.example"), "http://b.example", "127.0.0.1:8440").contains("--tls-cert"));
    }

    #[test]
    fn connections_leave_files_for_the_store() {
        assert_eq!(connections(Some(1024)), 384);
        assert_eq!(connections(Some(100)), 64);
        assert_eq!((connections(Some(1 << 20)), connections(None)), (2000, 2000));
    }

    #[cfg(unix)]
    #[test]
    fn a_data_folder_that_others_may_look_into_is_noticed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        for (mode, open) in [(0o755, true), (0o710, true), (0o700, false)] {
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open_to_others(folder.path()), open, "{mode:o}");
        }
    }
}
