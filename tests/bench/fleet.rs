//! Many machines in one process: each has keys, a certificate and an address of its own, and comes back as an agent does.
//! They hold control sockets and acknowledge orders; they have no files.

#[path = "../../agent/src/run/backoff.rs"]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the agent's own pauses, for all of its causes")
)]
mod backoff;
mod dial;
mod visit;

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use beckon_shared::{
    api::{
        Packed,
        account::NewDevice,
        join::{Join, OfferView},
    },
    certificate::Chain,
    device::{DeviceKind, Platform, RootView},
    id::{RootId, TransferId},
    join::JoinCode,
    keys::DeviceKeys,
    path::Label,
    time::Timestamp,
};
use beckon_tests::{Account, wait_until};
use futures_util::{StreamExt, stream};
use tokio::{runtime::Runtime, sync::mpsc, task::AbortHandle};

pub(crate) use dial::Target;
pub(crate) use visit::Controller;

/// A join code makes so many machines.
const USES_MAX: usize = 1000;
/// So many join at the same time.
const JOINING: usize = 16;

/// A device with its proof.
pub(crate) struct Device {
    keys: DeviceKeys,
    chain: Chain,
    name: Label,
    /// Of a machine, the one folder that it opened.
    root: Option<RootView>,
    /// Where its connections come from: on loopback each has an address of its own, as machines do.
    source: Ipv4Addr,
}

/// An order that was acknowledged, and when.
struct Acknowledged {
    transfer: TransferId,
    at: Instant,
}

/// All machines.
pub(crate) struct Fleet {
    pub(crate) devices: Vec<Arc<Device>>,
    shared: Arc<Shared>,
    acknowledged: mpsc::UnboundedReceiver<Acknowledged>,
    running: Vec<AbortHandle>,
    runtime: Runtime,
}

/// What all machines share.
struct Shared {
    online: AtomicUsize,
    acknowledged: mpsc::UnboundedSender<Acknowledged>,
}

impl Fleet {
    /// Has machines join the account of a server without TLS; none of them is connected yet.
    pub(crate) fn join(target: &Target, account: &Account, count: usize) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let codes: Vec<JoinCode> = (0..count.div_ceil(USES_MAX))
            .map(|_| account.join_code(&["--uses", &USES_MAX.to_string()]))
            .map(|text| JoinCode::parse(&text).expect("a join code"))
            .collect();
        let joining = async {
            let all = (0..count).map(|number| join(target, &codes[number / USES_MAX], number));
            stream::iter(all).buffered(JOINING).map(Arc::new).collect().await
        };
        let devices = runtime.block_on(joining);
        let (sender, acknowledged) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            online: AtomicUsize::new(0),
            acknowledged: sender,
        });
        Self {
            devices,
            shared,
            acknowledged,
            running: Vec::new(),
            runtime,
        }
    }

    /// Connects all; from now on they stay connected.
    pub(crate) fn connect(&mut self, target: &Arc<Target>) {
        for device in &self.devices {
            let visits = visit::stay(Arc::clone(target), Arc::clone(device), Arc::clone(&self.shared));
            self.running.push(self.runtime.spawn(visits).abort_handle());
        }
    }

    /// How many the server has let in.
    pub(crate) fn online(&self) -> usize {
        self.shared.online.load(Relaxed)
    }

    /// Waits until all are online.
    #[track_caller]
    pub(crate) fn wait_online(&self, limit: Duration) {
        let all = self.devices.len();
        wait_until(&format!("{all} machines are online"), limit, || self.online() == all);
    }

    /// Waits until an order is acknowledged; when it was.
    #[track_caller]
    pub(crate) fn wait_acknowledged(&mut self, transfer: TransferId, limit: Duration) -> Instant {
        let heard = async {
            while let Some(heard) = self.acknowledged.recv().await {
                if heard.transfer == transfer {
                    return Some(heard.at);
                }
            }
            None
        };
        let heard = self
            .runtime
            .block_on(async { tokio::time::timeout(limit, heard).await });
        heard.expect("in time").expect("some machine is there")
    }

    /// Has a future run among the machines.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.running.iter().for_each(AbortHandle::abort);
    }
}

async fn join(target: &Target, code: &JoinCode, number: usize) -> Device {
    let source = address(number);
    let path = format!("/api/join/{}", code.lookup());
    let view: OfferView = target.get(source, &path).await;
    let enrolment = code.check(&view.offer.0, &view.mac.0, now()).expect("an honest server");
    let keys = DeviceKeys::from_bytes(&bytes(number));
    let chain = code
        .certify(&view.offer.0, keys.public(), enrolment.role, now())
        .expect("a code that counts");
    let name = Label::new(format!("machine-{number:04}")).expect("a plain word is a name");
    let device = NewDevice {
        certificate: Packed(chain.clone()),
        name: name.clone(),
        kind: DeviceKind::Agent,
        os: "simulated".to_owned(),
        version: "0".to_owned(),
        platform: Platform::Unix,
    };
    target.post(source, &path, &Join { device }).await;
    let root = RootView {
        id: RootId(bytes(number)),
        name: Label::new("Data").expect("a plain word is a name"),
        writable: false,
    };
    Device {
        keys,
        chain,
        name,
        root: Some(root),
        source,
    }
}

/// An address of loopback; 250 in each of its small networks.
fn address(number: usize) -> Ipv4Addr {
    let (net, host) = (number / 250, number % 250);
    Ipv4Addr::new(127, 1, net as u8, host as u8 + 1)
}

/// Bytes that no other number of this process gets; they are keys of nobody.
fn bytes<const N: usize>(number: usize) -> [u8; N] {
    let mut bytes = [0; N];
    let seed = format!("{} {number}", std::process::id());
    blake3::Hasher::new()
        .update(seed.as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// The clock.
pub(crate) fn now() -> Timestamp {
    let passed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock that is set");
    Timestamp(i64::try_from(passed.as_millis()).expect("this century"))
}
