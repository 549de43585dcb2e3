//! Says in the networks where the endpoint listens that it does, under a name that changes.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use beckon_shared::id::DeviceId;
use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};
use tokio::{sync::watch, time::Instant};

use super::{SERVICE, Sign, TAG};
use crate::{agent::Agent, clock, lan::View};

/// So long an agent goes by one name: who listens for days does not see the same one come and go.
const RENEW_EVERY: Duration = Duration::from_secs(3600);
/// What could not be announced is tried again after this time.
const RETRY_EVERY: Duration = Duration::from_secs(60);

/// Announces the endpoint wherever it listens, until the agent stops.
pub(crate) async fn announce(agent: Arc<Agent>) {
    let keeping = keep(agent.lan.watch(), |wanted| Announced::begin(wanted, &agent.device()));
    agent.stop.run_until_cancelled(keeping).await;
}

/// Keeps announced where the endpoint listens, as long as it can change.
async fn keep<A>(mut view: watch::Receiver<View>, mut begin: impl FnMut(&Wanted) -> Option<A>) {
    let mut standing: Option<(Wanted, A)> = None;
    let mut renew_at = Instant::now() + RENEW_EVERY;
    loop {
        let wanted = Wanted::of(&view.borrow_and_update());
        if standing.as_ref().map(|(wanted, _)| wanted) != wanted.as_ref() {
            standing = wanted.and_then(|wanted| begin(&wanted).map(|announced| (wanted, announced)));
            renew_at = Instant::now() + if standing.is_some() { RENEW_EVERY } else { RETRY_EVERY };
        }
        tokio::select! {
            changed = view.changed() => if changed.is_err() { return },
            () = tokio::time::sleep_until(renew_at) => {
                standing = None;
                renew_at = Instant::now() + RENEW_EVERY;
            }
        }
    }
}

/// Where the endpoint listens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    port: u16,
    addresses: Vec<IpAddr>,
}

impl Wanted {
    /// Nothing where it listens nowhere, or where its owner wants it to be silent.
    fn of(view: &View) -> Option<Self> {
        let port = view.port.filter(|_| view.mdns && !view.listening.is_empty())?;
        Some(Self {
            port,
            addresses: view.listening.clone(),
        })
    }
}

/// An announcement that stands; it is taken back when dropped.
struct Announced {
    daemon: ServiceDaemon,
}

impl Announced {
    /// A network in which nothing can be announced is one in which the machine is found by its addresses alone.
    fn begin(wanted: &Wanted, device: &DeviceId) -> Option<Self> {
        let sign = Sign { nonce: clock::random() };
        let daemon = publish(wanted, &sign, device);
        let daemon = daemon
            .inspect_err(|cause| tracing::warn!(%cause, "not announced"))
            .ok()?;
        Some(Self { daemon })
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        // It says good-bye for what it announced before it ends. A queue that is full ends with the process.
        let _ = self.daemon.shutdown();
    }
}

fn publish(wanted: &Wanted, sign: &Sign, device: &DeviceId) -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    let interfaces: Vec<IfKind> = wanted.addresses.iter().copied().map(IfKind::from).collect();
    daemon.disable_interface(IfKind::All)?;
    daemon.enable_interface(interfaces.clone())?;
    let host = format!("{}.local.", sign.name());
    let properties = HashMap::from([(TAG.to_owned(), sign.tag(device))]);
    let addresses = wanted.addresses.as_slice();
    let mut service = ServiceInfo::new(SERVICE, &sign.name(), &host, addresses, wanted.port, properties)?;
    service.set_interfaces(interfaces);
    // Nobody else has this name.
    service.set_requires_probe(false);
    daemon.register(service)?;
    Ok(daemon)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the machine knows of its networks changes every ten minutes, and where it listens does not; how often an
    /// announcement was begun until then.
    async fn begun_within(minutes: u32, is_announced: bool) -> u32 {
        let view = watch::Sender::new(View {
            port: Some(47_820),
            mdns: true,
            listening: vec!["192.168.1.5".parse().unwrap()],
            ..View::default()
        });
        let mut begun = 0;
        let keeping = keep(view.subscribe(), |_| {
            begun += 1;
            is_announced.then_some(())
        });
        let changing = async {
            let mut every = tokio::time::interval(Duration::from_secs(600));
            loop {
                every.tick().await;
                view.send_modify(|_| {});
            }
        };
        let until = Duration::from_secs(60 * u64::from(minutes)) + Duration::from_secs(1);
        let both = futures_util::future::join(keeping, changing);
        assert!(tokio::time::timeout(until, both).await.is_err());
        begun
    }

    #[tokio::test(start_paused = true)]
    async fn the_name_changes_each_hour_whatever_else_changes() {
        assert_eq!(begun_within(59, true).await, 1);
        assert_eq!(begun_within(125, true).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_announced_is_tried_again_soon() {
        assert!(begun_within(9, false).await >= 9);
    }
}
