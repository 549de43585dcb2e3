//! What the page knows of the server, read again while somebody looks at it.

use beckon_shared::{
    api::admin::{AccountRow, ChangeAccount, InvitationView, Sample, Span, Stats},
    error::Refusal,
    id::AccountId,
    time::Timestamp,
};
use leptos::{prelude::*, task::spawn_local};

use crate::{api, dom};

/// Between two looks, in milliseconds.
const PAUSE: u32 = 2_000;

/// Lists are read again at every so manieth look even when nothing seems to have changed.
const LISTS: u32 = 5;

/// Bytes in and out.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Traffic<T> {
    pub(super) received: T,
    pub(super) sent: T,
}

/// What is known.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    /// The server as it is.
    pub(super) stats: RwSignal<Option<Stats>>,
    /// Bytes in a second, between the last two looks.
    pub(super) rate: RwSignal<Option<Traffic<f64>>>,
    /// Bytes since the last sample of the history.
    pub(super) since: RwSignal<Traffic<u64>>,
    /// How far back the charts go.
    pub(super) span: RwSignal<Span>,
    /// The history with the span that it is of.
    pub(super) history: RwSignal<Option<(Span, Vec<Sample>)>>,
    /// Every account, by name.
    pub(super) accounts: RwSignal<Option<Vec<AccountRow>>>,
    /// The invitations that can still be used.
    pub(super) invitations: RwSignal<Vec<InvitationView>>,
    /// Why the last look failed.
    pub(super) refusal: RwSignal<Option<Refusal>>,
    /// What stood in the counters when the last sample was taken.
    base: StoredValue<Traffic<u64>>,
    /// How often the lists were asked for: an older answer does not overwrite a newer one.
    asked: StoredValue<u64>,
}

impl Watch {
    /// Looks until the component is gone. A page that nobody sees asks nothing.
    pub(super) fn begin() -> Self {
        let watch = Self {
            stats: RwSignal::new(None),
            rate: RwSignal::new(None),
            since: RwSignal::new(Traffic::default()),
            span: RwSignal::new(Span::Day),
            history: RwSignal::new(None),
            accounts: RwSignal::new(None),
            invitations: RwSignal::new(Vec::new()),
            refusal: RwSignal::new(None),
            base: StoredValue::new(Traffic::default()),
            asked: StoredValue::new(0),
        };
        watch.keep_history();
        spawn_local(async move {
            let mut looks = 0_u32;
            while !watch.is_gone() {
                if !dom::document().hidden() {
                    watch.look(looks.is_multiple_of(LISTS)).await;
                    looks = looks.wrapping_add(1);
                }
                dom::sleep(PAUSE).await;
            }
        });
        watch
    }

    /// Looks at once.
    pub(super) fn read_now(self) {
        spawn_local(self.look(true));
    }

    /// Changes an account, and shows what came of it.
    pub(super) async fn change(self, id: AccountId, change: ChangeAccount) -> Result<(), Refusal> {
        api::put(&format!("/api/admin/accounts/{id}"), &change).await?;
        self.read_lists().await;
        Ok(())
    }

    /// Reads accounts and invitations.
    pub(super) async fn read_lists(self) {
        let asked = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        });
        let (accounts, invitations) = futures_util::future::join(
            api::get::<Vec<AccountRow>>("/api/admin/accounts"),
            api::get::<Vec<InvitationView>>("/api/admin/invitations"),
        )
        .await;
        if self.asked.try_get_value() != asked {
            return;
        }
        if let Ok(accounts) = accounts {
            let _ = self.accounts.try_set(Some(accounts));
        }
        if let Ok(invitations) = invitations {
            let _ = self.invitations.try_set(invitations);
        }
    }

    fn is_gone(self) -> bool {
        self.stats.is_disposed()
    }

    async fn look(self, with_lists: bool) {
        match api::get::<Stats>("/api/admin/stats").await {
            _ if self.is_gone() => {}
            Ok(stats) => {
                let before = self.stats.get_untracked();
                let is_other = before.as_ref().is_none_or(|before| lists_differ(before, &stats));
                self.take(before.as_ref(), stats);
                if with_lists || is_other {
                    self.read_lists().await;
                }
            }
            Err(refusal) => self.refusal.set(Some(refusal)),
        }
    }

    fn take(self, before: Option<&Stats>, stats: Stats) {
        self.base.set_value(base(before, &stats, self.base.get_value()));
        let base = self.base.get_value();
        self.since.set(Traffic {
            received: stats.received.saturating_sub(base.received),
            sent: stats.sent.saturating_sub(base.sent),
        });
        self.rate.set(before.and_then(|before| rate(before, &stats)));
        self.stats.set(Some(stats));
        if self.refusal.read_untracked().is_some() {
            self.refusal.set(None);
        }
    }

    /// Reads the history for another span, and whenever the server has taken a sample.
    fn keep_history(self) {
        let sampled = Memo::new(move |_| self.stats.with(|stats| stats.as_ref().map(last_sample)));
        Effect::new(move || {
            let span = self.span.get();
            if sampled.get().is_some() {
                spawn_local(self.read_history(span));
            }
        });
    }

    async fn read_history(self, span: Span) {
        let name = match span {
            Span::Day => "day",
            Span::Month => "month",
            Span::Year => "year",
        };
        let samples = api::get(&format!("/api/admin/history?span={name}")).await;
        // Another span may have been chosen meanwhile.
        if let Ok(samples) = samples
            && self.span.try_get_untracked() == Some(span)
        {
            let _ = self.history.try_set(Some((span, samples)));
        }
    }
}

/// When the server took its last sample.
fn last_sample(stats: &Stats) -> Option<Timestamp> {
    stats
        .workers
        .iter()
        .find(|worker| worker.name == "stats")
        .and_then(|worker| worker.last)
}

/// Whether something happened that the lists tell more of.
fn lists_differ(before: &Stats, now: &Stats) -> bool {
    let told = |stats: &Stats| (stats.accounts, stats.devices, stats.online, stats.stored);
    told(before) != told(now)
}

/// What stood in the counters at the last sample: what the look before it saw, or this one if it is the first.
fn base(before: Option<&Stats>, now: &Stats, base: Traffic<u64>) -> Traffic<u64> {
    let totals = |stats: &Stats| Traffic {
        received: stats.received,
        sent: stats.sent,
    };
    match before {
        None => totals(now),
        Some(before) if before.started != now.started => Traffic::default(),
        Some(before) if last_sample(before) != last_sample(now) => totals(before),
        Some(_) => base,
    }
}

/// Bytes in a second between two looks at the same run of the server.
fn rate(before: &Stats, now: &Stats) -> Option<Traffic<f64>> {
    let seconds = now.now.since(before.now).as_secs_f64();
    let is_same = before.started == now.started && seconds > 0.0;
    let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
    is_same.then(|| Traffic {
        received: per_second(now.received, before.received),
        sent: per_second(now.sent, before.sent),
    })
}

#[cfg(test)]
mod tests {
    use beckon_shared::api::admin::{Stored, WorkerView};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn stats(now: i64, received: u64, sampled: i64) -> Stats {
        Stats {
            version: "1".to_owned(),
            started: Timestamp(0),
            now: Timestamp(now),
            memory: None,
            accounts: 1,
            devices: 1,
            machines: 0,
            online: 1,
            machines_online: 0,
            stored: Stored::default(),
            disk_free: None,
            disk_total: None,
            received,
            sent: 10 * received,
            transfers_total: 0,
            transfers: Vec::new(),
            workers: vec![WorkerView {
                name: "stats".to_owned(),
                busy: false,
                last: Some(Timestamp(sampled)),
                outcome: String::new(),
                next: None,
            }],
            health: Vec::new(),
        }
    }

    #[wasm_bindgen_test]
    fn the_rate_is_of_the_server_s_own_seconds_and_of_one_run() {
        let told = rate(&stats(1_000, 100, 0), &stats(3_000, 500, 0));
        assert_eq!(
            told,
            Some(Traffic {
                received: 200.0,
                sent: 2_000.0
            })
        );
        let mut restarted = stats(3_000, 5, 0);
        restarted.started = Timestamp(2_000);
        assert_eq!(rate(&stats(1_000, 100, 0), &restarted), None);
        assert_eq!(rate(&stats(1_000, 1, 0), &stats(1_000, 2, 0)), None);
    }

    #[wasm_bindgen_test]
    fn what_came_since_the_last_sample_is_counted_from_the_look_before_it() {
        let none = Traffic::default();
        let at = |received: u64| Traffic {
            received,
            sent: 10 * received,
        };
        assert_eq!(base(None, &stats(1, 100, 0), none), at(100));
        assert_eq!(base(Some(&stats(1, 100, 0)), &stats(2, 150, 0), at(100)), at(100));
        assert_eq!(base(Some(&stats(2, 150, 0)), &stats(3, 170, 2), at(100)), at(150));
        let mut restarted = stats(4, 7, 3);
        restarted.started = Timestamp(3);
        assert_eq!(base(Some(&stats(3, 170, 2)), &restarted, at(150)), none);
    }
}
