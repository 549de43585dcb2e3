//! Wakes a machine that sleeps: machines that are awake and seem to be in its network are asked to call it.

use beckon_shared::{browse::Ask, device::DeviceView, id::DeviceId, neighbour};
use futures_util::future::join_all;
use leptos::{prelude::*, task::spawn_local};

use crate::{
    dom, format, session,
    store::{Call, Stores},
    text::{self, device as words},
};

/// So many machines are asked to call: more hardly reach another network.
const WAKERS_MAX: usize = 3;
/// A neighbour that has not answered after so long is not waited for. Milliseconds.
const ANSWER_MS: u32 = 20_000;
/// How long the machine may take to be here: some need a minute to start. Milliseconds.
const PATIENCE_MS: i64 = 90_000;
/// So often is looked whether it came. Milliseconds.
const LOOK_MS: u32 = 500;

/// Why a machine cannot be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cannot {
    /// No hardware address of it is known.
    NoAddress,
    /// No machine that is online seems to share its network.
    Nobody,
}

/// Who would call a machine, likeliest first; tracks the control list.
fn wakers(stores: Stores, sleeping: DeviceId) -> Result<Vec<DeviceView>, Cannot> {
    let away = |view: &DeviceView| !view.online && !view.revoked;
    let sleeping = stores.devices.get(sleeping).filter(away).ok_or(Cannot::Nobody)?;
    if neighbour::hardware_addresses(&sleeping).is_empty() {
        return Err(Cannot::NoAddress);
    }
    let ids = stores.devices.ids().into_iter();
    let all: Vec<DeviceView> = ids.filter_map(|id| stores.devices.get(id)).collect();
    let wakers: Vec<DeviceView> = neighbour::wakers(&all, &sleeping)
        .into_iter()
        .take(WAKERS_MAX)
        .cloned()
        .collect();
    if wakers.is_empty() {
        Err(Cannot::Nobody)
    } else {
        Ok(wakers)
    }
}

/// How the call of a machine that is away stands, if it was called since it went; tracked.
fn current(stores: Stores, sleeping: DeviceId) -> Option<Call> {
    let view = stores.devices.get(sleeping).filter(|view| !view.online)?;
    stores.calls.get(sleeping, view.last_seen)
}

/// Whether a machine can be called in this moment; tracked.
pub(crate) fn can(stores: Stores, sleeping: DeviceId) -> bool {
    let is_called = matches!(current(stores, sleeping), Some(Call::Asking | Call::Sent(_)));
    !is_called && wakers(stores, sleeping).is_ok()
}

/// How its call stands, or else who could call it, where somebody can; and whether it can be called in this moment. Tracked.
pub(crate) fn said(stores: Stores, sleeping: DeviceId) -> (Option<String>, bool) {
    let says = match (current(stores, sleeping), wakers(stores, sleeping)) {
        (Some(call), _) => Some(told(stores, sleeping, &call)),
        (None, Ok(wakers)) => wakers.first().map(|waker| words::wake_through(&name(waker))),
        (None, Err(_)) => None,
    };
    (says, can(stores, sleeping))
}

/// As [`said`], with the reason where nobody can call it; tracked.
pub(crate) fn reason(stores: Stores, sleeping: DeviceId) -> String {
    let cannot = || match wakers(stores, sleeping) {
        Err(Cannot::NoAddress) => words::wake_no_address().to_owned(),
        _ => words::wake_nobody().to_owned(),
    };
    said(stores, sleeping).0.unwrap_or_else(cannot)
}

fn told(stores: Stores, sleeping: DeviceId, call: &Call) -> String {
    let name = stores.devices.get(sleeping).map(|view| name(&view)).unwrap_or_default();
    let listed = |through: &[String]| through.join(words::list_gap());
    match call {
        Call::Asking => words::wake_calling().to_owned(),
        Call::Sent(through) => words::wake_sent(&listed(through), &name),
        Call::Failed(why) => why.clone(),
        Call::Silent(through) => words::wake_silent(&name, &listed(through)),
    }
}

fn name(view: &DeviceView) -> String {
    format::name(view.name.as_str())
}

/// Has a machine called, and waits until it is here.
pub(crate) fn begin(stores: Stores, sleeping: DeviceId) {
    let Some(view) = stores.devices.peek(sleeping) else {
        return;
    };
    let Ok(wakers) = untrack(|| wakers(stores, sleeping)) else {
        return;
    };
    if !untrack(|| can(stores, sleeping)) {
        return;
    }
    let seen = view.last_seen;
    stores.calls.set(sleeping, seen, Call::Asking);
    spawn_local(async move {
        let macs = neighbour::hardware_addresses(&view);
        let asked = wakers.iter().map(|waker| call(stores, waker, macs.clone()));
        match sorted(join_all(asked).await) {
            (through, Some(why)) if through.is_empty() => stores.calls.set(sleeping, seen, Call::Failed(why)),
            (through, _) => {
                stores.calls.set(sleeping, seen, Call::Sent(through.clone()));
                wait(stores, &view, through).await;
            }
        }
    });
}

/// Asks one neighbour; its name, or why it did not call.
async fn call(stores: Stores, waker: &DeviceView, macs: Vec<[u8; 6]>) -> Result<String, String> {
    let asked = dom::within(ANSWER_MS, session::ask(stores, waker.id, Ask::Wake(macs))).await;
    let failed = |why: String| Err(words::wake_failed(&name(waker), &why));
    match asked {
        Some(Ok(_)) => Ok(name(waker)),
        Some(Err(refusal)) => failed(text::error::of(&refusal)),
        None => failed(words::wake_no_answer().to_owned()),
    }
}

/// Those that called, and why one of the others did not.
fn sorted(answers: Vec<Result<String, String>>) -> (Vec<String>, Option<String>) {
    let (mut through, mut failed) = (Vec::new(), None);
    for answer in answers {
        match answer {
            Ok(name) => through.push(name),
            Err(why) => failed = Some(why),
        }
    }
    (through, failed)
}

async fn wait(stores: Stores, sleeping: &DeviceView, through: Vec<String>) {
    let end = dom::now().0 + PATIENCE_MS;
    while dom::now().0 < end {
        dom::sleep(LOOK_MS).await;
        // Whoever signed out waits for nobody.
        let Some(view) = stores.devices.peek(sleeping.id) else {
            return;
        };
        if view.online || view.last_seen != sleeping.last_seen {
            stores.toasts.say(words::woken(&name(&view)), None);
            return;
        }
    }
    stores.calls.set(sleeping.id, sleeping.last_seen, Call::Silent(through));
}
