//! Who is connected at this moment: the open control sockets of each account, and the token that cuts off a device.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use beckon_shared::{
    device::DeviceKind,
    id::{AccountId, DeviceId, SpaceId, TransferId},
    wire::{self, FromServer},
};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Frames that may wait for a slow reader before its socket is dropped; at most 4 MiB.
const QUEUE: usize = 256;

/// All control sockets that are open.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    accounts: Mutex<HashMap<AccountId, Account>>,
    epochs: AtomicU64,
    stopping: CancellationToken,
    visits: TaskTracker,
}

#[derive(Debug, Default)]
struct Account {
    devices: HashMap<DeviceId, Device>,
    publishing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Device {
    cut: CancellationToken,
    lines: Vec<Line>,
}

/// The hub's end of a control socket.
#[derive(Debug)]
struct Line {
    epoch: u64,
    kind: DeviceKind,
    frames: mpsc::Sender<Bytes>,
    overflow: CancellationToken,
    /// The transfers that whoever holds the other end has begun.
    begun: HashSet<TransferId>,
}

/// A control socket's end of its line to the hub.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Names the connection among all of this run.
    pub(crate) epoch: u64,
    /// Frames to pass on.
    pub(crate) frames: mpsc::Receiver<Bytes>,
    /// What ends it.
    pub(crate) ends: Ends,
}

/// What ends a connection from the hub's side.
#[derive(Debug)]
pub(crate) struct Ends {
    /// Fires when the reader was too slow for its frames.
    pub(crate) overflow: CancellationToken,
    /// Fires when the device is revoked or its session ends.
    pub(crate) cut: CancellationToken,
}

impl Hub {
    /// Registers a control socket; from here on it gets every change.
    pub(crate) fn connect(&self, account: AccountId, device: DeviceId, kind: DeviceKind) -> Connection {
        let epoch = self.epochs.fetch_add(1, Ordering::Relaxed);
        let (frames, receiver) = mpsc::channel(QUEUE);
        let overflow = CancellationToken::new();
        let mut accounts = self.lock();
        let entry = accounts.entry(account).or_default().devices.entry(device).or_default();
        entry.lines.push(Line {
            epoch,
            kind,
            frames,
            overflow: overflow.clone(),
            begun: HashSet::new(),
        });
        Connection {
            epoch,
            frames: receiver,
            ends: Ends {
                overflow,
                cut: entry.cut.clone(),
            },
        }
    }

    /// Forgets a control socket; the transfers that were begun over it, and over no other since.
    pub(crate) fn disconnect(&self, account: &AccountId, device: &DeviceId, epoch: u64) -> HashSet<TransferId> {
        let mut accounts = self.lock();
        let lines = lines(&mut accounts, account, device);
        let line = lines.and_then(|lines| {
            let at = lines.iter().position(|line| line.epoch == epoch)?;
            Some(lines.remove(at))
        });
        line.map(|line| line.begun).unwrap_or_default()
    }

    /// A transfer is begun over this control socket: no other one of the device, as another tab has it, works on it any more.
    pub(crate) fn begin(&self, account: &AccountId, device: &DeviceId, epoch: u64, transfer: TransferId) {
        for line in lines(&mut self.lock(), account, device).into_iter().flatten() {
            match line.epoch == epoch {
                true => _ = line.begun.insert(transfer),
                false => _ = line.begun.remove(&transfer),
            }
        }
    }

    /// Nobody works on a transfer any more.
    pub(crate) fn end(&self, account: &AccountId, device: &DeviceId, transfer: &TransferId) {
        for line in lines(&mut self.lock(), account, device).into_iter().flatten() {
            line.begun.remove(transfer);
        }
    }

    /// Whether a transfer was begun over a control socket of the device that is open.
    pub(crate) fn is_begun(&self, account: &AccountId, device: &DeviceId, transfer: &TransferId) -> bool {
        let mut accounts = self.lock();
        let mut lines = lines(&mut accounts, account, device).into_iter().flatten();
        lines.any(|line| line.begun.contains(transfer))
    }

    /// Whether a control socket of the device is open.
    pub(crate) fn is_online(&self, account: &AccountId, device: &DeviceId) -> bool {
        self.lock()
            .get(account)
            .and_then(|account| account.devices.get(device))
            .is_some_and(|device| !device.lines.is_empty())
    }

    /// The devices with an open control socket.
    pub(crate) fn online(&self, account: &AccountId) -> HashSet<DeviceId> {
        let accounts = self.lock();
        let devices = accounts.get(account).into_iter().flat_map(|account| &account.devices);
        devices
            .filter(|(_, device)| !device.lines.is_empty())
            .map(|(id, _)| *id)
            .collect()
    }

    /// The tasks that serve control sockets, each until its visit is recorded and its last word said.
    pub(crate) fn visits(&self) -> &TaskTracker {
        &self.visits
    }

    /// Fires when the device is revoked or its session ends: whatever is done for it stops then.
    pub(crate) fn cut_token(&self, account: AccountId, device: DeviceId) -> CancellationToken {
        self.lock()
            .entry(account)
            .or_default()
            .devices
            .entry(device)
            .or_default()
            .cut
            .clone()
    }

    /// Ends all that is going on for a device. It may come back with a valid sign-in.
    pub(crate) fn cut(&self, account: &AccountId, device: &DeviceId) {
        if let Some(entry) = self
            .lock()
            .get_mut(account)
            .and_then(|account| account.devices.get_mut(device))
        {
            std::mem::take(&mut entry.cut).cancel();
        }
    }

    /// Ends all that is going on for an account.
    pub(crate) fn cut_account(&self, account: &AccountId) {
        if let Some(account) = self.lock().get_mut(account) {
            for device in account.devices.values_mut() {
                std::mem::take(&mut device.cut).cancel();
            }
        }
    }

    /// How many devices have an open control socket, and how many machines among them.
    pub(crate) fn count(&self) -> (u32, u32) {
        let (mut devices, mut machines) = (0, 0);
        for device in self.lock().values().flat_map(|account| account.devices.values()) {
            if let Some(line) = device.lines.last() {
                devices += 1;
                machines += u32::from(line.kind == DeviceKind::Agent);
            }
        }
        (devices, machines)
    }

    /// Sends to every controller of the account.
    pub(crate) fn to_controllers(&self, account: &AccountId, frame: &FromServer) {
        self.send(account, frame, |_, line| line.kind != DeviceKind::Agent);
    }

    /// Sends to every device of the account.
    pub(crate) fn to_all(&self, account: &AccountId, frame: &FromServer) {
        self.send(account, frame, |_, _| true);
    }

    /// Sends to the newest connection of one device; false if it is away.
    pub(crate) fn to_device(&self, account: &AccountId, device: &DeviceId, frame: &FromServer) -> bool {
        let accounts = self.lock();
        let newest = accounts
            .get(account)
            .and_then(|account| account.devices.get(device))
            .and_then(|device| device.lines.last());
        newest.is_some_and(|line| line.push(&wire::encode(frame).into()))
    }

    /// Sends to every connection of one device: the tabs of a browser are one device.
    pub(crate) fn to_all_of_device(&self, account: &AccountId, device: &DeviceId, frame: &FromServer) {
        self.send(account, frame, |id, _| id == device);
    }

    /// Tells the account's controllers that a space changed.
    pub(crate) fn drive_changed(&self, account: &AccountId, space: SpaceId, revision: u64) {
        self.to_controllers(account, &FromServer::DriveChanged { space, revision });
    }

    /// Held while a row is read and told: so the last told is the last read.
    pub(crate) fn publishing(&self, account: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        self.lock().entry(account).or_default().publishing.clone()
    }

    /// Fires when the server goes down.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    fn send(&self, account: &AccountId, frame: &FromServer, wanted: impl Fn(&DeviceId, &Line) -> bool) {
        let accounts = self.lock();
        let Some(account) = accounts.get(account) else { return };
        let mut encoded = None;
        for (id, device) in &account.devices {
            for line in device.lines.iter().filter(|line| wanted(id, line)) {
                let bytes: &Bytes = encoded.get_or_insert_with(|| wire::encode(frame).into());
                line.push(bytes);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Account>> {
        // No code that can panic runs under this lock.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lines<'a>(
    accounts: &'a mut HashMap<AccountId, Account>,
    account: &AccountId,
    device: &DeviceId,
) -> Option<&'a mut Vec<Line>> {
    let device = accounts.get_mut(account)?.devices.get_mut(device)?;
    Some(&mut device.lines)
}

impl Line {
    /// A reader that is too slow loses its socket and nobody waits for it.
    fn push(&self, bytes: &Bytes) -> bool {
        let sent = self.frames.try_send(bytes.clone()).is_ok();
        if !sent {
            self.overflow.cancel();
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: AccountId = AccountId([1; 32]);
    const DEVICE: DeviceId = DeviceId([2; 32]);

    fn frame() -> FromServer {
        FromServer::Challenge { nonce: [0; 32] }
    }

    #[test]
    fn a_device_is_online_while_any_of_its_connections_is_open() {
        let hub = Hub::default();
        let one = hub.connect(ACCOUNT, DEVICE, DeviceKind::Browser);
        let two = hub.connect(ACCOUNT, DEVICE, DeviceKind::Browser);
        hub.disconnect(&ACCOUNT, &DEVICE, two.epoch);
        assert!(hub.is_online(&ACCOUNT, &DEVICE));
        hub.disconnect(&ACCOUNT, &DEVICE, one.epoch);
        assert!(!hub.is_online(&ACCOUNT, &DEVICE) && hub.online(&ACCOUNT).is_empty());
    }

    #[test]
    fn a_slow_reader_is_dropped_and_others_hear_everything() {
        let hub = Hub::default();
        let slow = hub.connect(ACCOUNT, DEVICE, DeviceKind::Browser);
        let mut quick = hub.connect(ACCOUNT, DeviceId([3; 32]), DeviceKind::Cli);
        for _ in 0..=QUEUE {
            hub.to_controllers(&ACCOUNT, &frame());
            assert!(quick.frames.try_recv().is_ok());
        }
        assert!(slow.ends.overflow.is_cancelled() && !quick.ends.overflow.is_cancelled());
    }

    #[test]
    fn cutting_off_a_device_ends_what_runs_and_nothing_that_begins_later() {
        let hub = Hub::default();
        let before = hub.connect(ACCOUNT, DEVICE, DeviceKind::Agent);
        let body = hub.cut_token(ACCOUNT, DEVICE);
        hub.cut(&ACCOUNT, &DEVICE);
        assert!(before.ends.cut.is_cancelled() && body.is_cancelled());
        assert!(!hub.cut_token(ACCOUNT, DEVICE).is_cancelled());
    }

    #[test]
    fn machines_do_not_hear_what_is_for_controllers() {
        let hub = Hub::default();
        let mut agent = hub.connect(ACCOUNT, DEVICE, DeviceKind::Agent);
        hub.to_controllers(&ACCOUNT, &frame());
        assert!(agent.frames.try_recv().is_err());
        assert!(hub.to_device(&ACCOUNT, &DEVICE, &frame()));
        assert!(agent.frames.try_recv().is_ok());
    }
}
