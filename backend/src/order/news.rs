//! Hints to machines that copy: there may be something new to read.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::web;
use beckon_shared::{
    id::{AccountId, DeviceId, TransferId},
    wire::FromServer,
};

use crate::{
    access::{Opens, Origin, TransferAccess},
    app::App,
    error::refusal_of,
    store::{Error, meta},
};

/// No machine hears of a transfer more often. What comes meanwhile is told when that time is over.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What is known of more transfers than this is looked through for what is over.
const KEPT: usize = 64;

/// Which transfers were told of a moment ago.
#[derive(Debug, Default)]
pub(crate) struct News {
    told: Mutex<HashMap<TransferId, Told>>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    /// Somebody waits to tell again.
    again: bool,
}

/// When a hint may be told.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Now,
    After(Duration),
    /// One that was not told yet says the same.
    Waits,
}

impl News {
    fn turn(&self, id: TransferId, now: Instant) -> Turn {
        // No code that can panic runs under this lock.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() > KEPT {
            told.retain(|_, told| told.again || now.duration_since(told.at) < TELL_EVERY);
        }
        let Some(last) = told.get_mut(&id) else {
            told.insert(id, Told { at: now, again: false });
            return Turn::Now;
        };
        if last.again {
            return Turn::Waits;
        }
        match TELL_EVERY.checked_sub(now.duration_since(last.at)) {
            Some(rest) if !rest.is_zero() => {
                last.again = true;
                Turn::After(rest)
            }
            _ => {
                last.at = now;
                Turn::Now
            }
        }
    }

    /// The hint that waited is told now.
    fn waited(&self, id: TransferId, now: Instant) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(id, Told { at: now, again: false });
    }
}

/// A root has a new commit: whoever copies it hears of that.
pub(crate) fn committed(app: &web::Data<App>, access: &TransferAccess) {
    if !matches!(access.opens, Opens::Upload | Opens::Watch) {
        return;
    }
    let (app, account) = (app.clone(), access.account);
    let origin = Origin {
        device: access.device,
        root: access.root,
    };
    beside(async move {
        for (device, id) in meta::transfer::copiers_of(app.meta().read(), &account, &origin).await? {
            hint(&app, account, device, id);
        }
        Ok(())
    });
}

/// Chunks of what is sent are durable, or were before: the machine that writes it hears of that.
pub(crate) fn arrived(app: &web::Data<App>, access: &TransferAccess) {
    if access.opens != Opens::Send {
        return;
    }
    let (app, account, id) = (app.clone(), access.account, access.transfer);
    beside(async move {
        let transfer = meta::transfer::find(app.meta().read(), &account, &id).await?;
        hint(&app, account, transfer.view.device, id);
        Ok(())
    });
}

/// Nobody waits for it, and what is not told is found by looking.
fn beside(work: impl Future<Output = Result<(), Error>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = work.await {
            refusal_of(&error);
        }
    });
}

fn hint(app: &web::Data<App>, account: AccountId, device: DeviceId, id: TransferId) {
    match app.news.turn(id, Instant::now()) {
        Turn::Now => tell(app, &account, &device, id),
        Turn::Waits => {}
        Turn::After(rest) => {
            let app = app.clone();
            tokio::spawn(async move {
                tokio::time::sleep(rest).await;
                app.news.waited(id, Instant::now());
                tell(&app, &account, &device, id);
            });
        }
    }
}

fn tell(app: &App, account: &AccountId, device: &DeviceId, transfer: TransferId) {
    app.hub.to_device(account, device, &FromServer::News { transfer });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_told_of_at_once_and_then_four_times_a_second_and_the_last_is_never_lost() {
        let (news, start) = (News::default(), Instant::now());
        let [one, other] = [1, 2].map(|seed| TransferId::new(Default::default(), [seed; 10]));
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(news.turn(one, at(0)), Turn::Now);
        assert_eq!(news.turn(one, at(100)), Turn::After(Duration::from_millis(150)));
        assert_eq!(news.turn(one, at(200)), Turn::Waits);
        assert_eq!(news.turn(other, at(200)), Turn::Now);
        news.waited(one, at(250));
        assert_eq!(news.turn(one, at(260)), Turn::After(Duration::from_millis(240)));
        news.waited(one, at(500));
        assert_eq!(news.turn(one, at(750)), Turn::Now);
    }

    #[test]
    fn transfers_that_are_quiet_are_forgotten() {
        let (news, start) = (News::default(), Instant::now());
        for seed in 0..=KEPT as u8 {
            news.turn(TransferId::new(Default::default(), [seed; 10]), start);
        }
        news.turn(TransferId::new(Default::default(), [255; 10]), start + TELL_EVERY);
        assert_eq!(news.told.lock().unwrap().len(), 1);
    }
}
