//! The running machine: what its connection, its sessions and its transfers share.

mod ignoring;
mod steer;
mod turn;
mod work;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use beckon_shared::{
    device::{DeviceKind, Hello, RootView},
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId, SpaceId},
    limits::Limits,
    path::Label,
    signature::Signed,
    statement::{Acceptance, Standing, Statement},
};
use tokio::sync::{Semaphore, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    clock,
    connection::Link,
    copy::Book,
    hello,
    identity::Identity,
    index::Index,
    journal::Journal,
    lan::Lan,
    limit,
    live::Live,
    root::{Root, key_folders},
    server::Server,
    state::{Machine, StateDir},
    upload::Tools,
    wake::Waker,
};
use work::Work;

/// So many sessions at once; each may hold large listings.
const SESSIONS_MAX: usize = 32;

/// The running machine.
pub(crate) struct Agent {
    /// Who it is.
    pub(crate) identity: Identity,
    /// Where it joined.
    pub(crate) server: Server,
    /// The account's space.
    pub(crate) space: SpaceId,
    /// What the server confirmed as stored.
    pub(crate) index: Index,
    /// What copies were written here.
    pub(crate) book: Book,
    /// Reaches the server.
    pub(crate) link: Link,
    /// Cancelled when the agent is to stop.
    pub(crate) stop: CancellationToken,
    /// Everything that is under way.
    pub(crate) tasks: TaskTracker,
    /// One permit for each session.
    pub(crate) sessions: Arc<Semaphore>,
    /// Answers who reads what is still uploading.
    pub(crate) live: Live,
    /// Wakes neighbours.
    pub(crate) waker: Waker,
    /// Where it is reached directly.
    pub(crate) lan: Lan,
    state: StateDir,
    name: Mutex<Label>,
    standing: watch::Sender<Standing>,
    roots: watch::Sender<Arc<[Arc<Root>]>>,
    limits: watch::Sender<Limits>,
    journal: Journal,
    work: Work,
    tools: Tools,
}

impl Agent {
    /// Opens everything that a machine works with.
    pub(crate) fn open(state: StateDir, machine: &Machine, server: Server, link: Link) -> Result<Self, Refusal> {
        let journal = Journal::open(&state, machine.has_journal)?;
        state.update_machine(|machine| {
            machine.has_journal = true;
            Ok(())
        })?;
        journal.prune(clock::now())?;
        let index = Index::open(&state)?;
        let book = Book::open(&state)?;
        let tools = Tools::new(link.clone(), server.http()?, server.origin.clone(), index.clone());
        let roots = open_roots(machine, &state)?;
        Ok(Self {
            identity: machine.identity(),
            server,
            space: machine.space,
            index,
            book,
            link,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            sessions: Arc::new(Semaphore::new(SESSIONS_MAX)),
            live: tools.live(),
            waker: Waker::default(),
            lan: Lan::new(machine.lan.clone()),
            state,
            name: Mutex::new(machine.name.clone()),
            standing: watch::Sender::new(machine.standing.clone()),
            roots: watch::Sender::new(roots),
            limits: watch::Sender::default(),
            journal,
            work: Work::default(),
            tools,
        })
    }

    /// Its name in the account, as last told by the server.
    pub(crate) fn name(&self) -> Label {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the name over that the server tells.
    pub(crate) fn rename(&self, name: &Label) {
        if self.name() == *name {
            return;
        }
        self.name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(name);
        let renamed = self.state.update_machine(|machine| {
            machine.name = name.clone();
            Ok(())
        });
        if let Err(refusal) = renamed {
            tracing::warn!(%refusal, "the new name could not be kept");
        }
    }

    /// What is known of the account's statements; the receiver hears of news.
    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Takes a statement in and keeps it, before it counts.
    pub(crate) fn take_statement(&self, signed: &Signed<Statement>) -> Result<(), Refusal> {
        let mut news = Ok(Acceptance::Stale);
        self.standing.send_if_modified(|standing| {
            let mut next = standing.clone();
            news = next.accept(signed, &self.identity.account_key);
            if matches!(news, Ok(Acceptance::Accepted)) {
                self.keep(&next);
            }
            let is_changed = next != *standing;
            *standing = next;
            is_changed
        });
        match news {
            Ok(Acceptance::Accepted) => {
                self.recheck_orders();
                Ok(())
            }
            Ok(Acceptance::Stale) => Ok(()),
            Err(bad) => Err(Refusal::new(ErrorCode::NotAllowed, bad.to_string())),
        }
    }

    /// A revocation that cannot be written counts all the same: until the next start it is at least in memory.
    fn keep(&self, standing: &Standing) {
        let kept = self.state.update_machine(|machine| {
            machine.standing = standing.clone();
            Ok(())
        });
        if let Err(refusal) = kept {
            tracing::error!(%refusal, "a statement of the account could not be kept");
        }
    }

    /// Whether the account has ended this machine.
    pub(crate) fn is_revoked(&self) -> bool {
        let standing = self.standing.borrow();
        let device = self.identity.device();
        self.identity
            .chain
            .verify(&self.identity.account_key, Some(&device), clock::now(), &standing)
            .is_err()
    }

    /// What its owner opened.
    pub(crate) fn roots(&self) -> Arc<[Arc<Root>]> {
        Arc::clone(&self.roots.borrow())
    }

    /// Takes over how fast the account lets this machine send. It can only slow the machine down, so nobody signs it.
    pub(crate) fn limit(&self, limits: Limits) {
        if limits.is_valid() {
            self.limits.send_replace(limits);
        } else {
            tracing::warn!("the server sent limits that are none; those from before hold");
        }
    }

    /// Keeps uploads to what the account allows at each hour, and to the rate of the machine's owner.
    pub(crate) async fn obey_limits(&self, owner: Option<u64>) -> Infallible {
        limit::obey(
            self.tools.throttle(),
            self.limits.subscribe(),
            owner,
            clock::minute_of_day,
        )
        .await
    }

    /// What was damaged and made anew, and what follows from that, for the machine's owner.
    pub(crate) fn notes(&self) -> Vec<String> {
        let notes = [self.journal.note(clock::now()), self.index.note(), self.book.note()];
        notes.into_iter().flatten().collect()
    }

    /// Hears when the roots change.
    pub(crate) fn watch_roots(&self) -> watch::Receiver<Arc<[Arc<Root>]>> {
        self.roots.subscribe()
    }

    /// One of the roots, if it is open.
    pub(crate) fn root(&self, id: &RootId) -> Result<Arc<Root>, Refusal> {
        let roots = self.roots.borrow();
        let closed = || {
            Refusal::new(
                ErrorCode::NotFound,
                "this root is not open on the machine (any more); list the machine's roots again",
            )
        };
        roots.iter().find(|root| root.id == *id).cloned().ok_or_else(closed)
    }

    /// Reads again what its owner opened and allows. What is closed now, nothing works on any longer.
    pub(crate) fn reload(&self) -> Result<(), Refusal> {
        let gone = || Refusal::new(ErrorCode::NotFound, "this device is no machine any more; join again");
        let machine = self.state.machine()?.ok_or_else(gone)?;
        self.lan.allow(machine.lan.clone());
        self.roots.send_replace(open_roots(&machine, &self.state)?);
        self.recheck_orders();
        Ok(())
    }

    /// Keeps the port that was free for direct sessions, if it is not the usual one.
    pub(crate) fn keep_lan_port(&self, port: Option<u16>) {
        let kept = self.state.update_machine(|machine| {
            machine.lan.found_port = port;
            Ok(())
        });
        if let Err(refusal) = kept {
            tracing::warn!(%refusal, "the port of direct sessions could not be kept");
        }
    }

    /// What controllers are told of the roots.
    pub(crate) fn root_views(&self) -> Vec<RootView> {
        self.roots.borrow().iter().map(|root| root.view()).collect()
    }

    /// What it tells of itself.
    pub(crate) fn hello(&self) -> Hello {
        let statement = self.standing.borrow().number();
        Hello {
            lan_port: self.lan.port(),
            ..hello::hello(self.name(), DeviceKind::Agent, self.root_views(), statement)
        }
    }

    /// Its id.
    pub(crate) fn device(&self) -> DeviceId {
        self.identity.device()
    }
}

/// The roots, without the folders that hold keys of this program.
fn open_roots(machine: &Machine, state: &StateDir) -> Result<Arc<[Arc<Root>]>, Refusal> {
    let closed = key_folders(state)?;
    Ok(machine
        .roots
        .iter()
        .map(|config| Arc::new(Root::new(config).without(Arc::clone(&closed))))
        .collect())
}

#[cfg(test)]
pub(crate) mod tests;
