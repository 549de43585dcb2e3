//! Machines that a join code vouches for: marked until a person confirms them.
//!
//! The certificate proves that a code was used, but that somebody confirmed the machine is only the server's word. So it is
//! believed once, of the first control list that this browser sees, and what comes later is marked until it is confirmed here.

use std::collections::BTreeSet;

use beckon_shared::{
    device::{DeviceKind, DeviceView},
    error::Refusal,
    id::DeviceId,
};
use leptos::{prelude::*, task::spawn_local};

use super::tabs;
use crate::{
    api, format,
    identity::{self, Identity, kept},
    store::Stores,
    text,
};

/// Whether a device wants to be confirmed. Tracked.
pub(crate) fn is_doubtful(stores: Stores, view: &DeviceView) -> bool {
    let is_confirmed = stores
        .confirmed
        .with(|ids| ids.as_ref().is_none_or(|ids| ids.contains(&view.id)));
    let vouched = || identity::current().is_none_or(|me| me.vouches_for(view));
    // What the server shows as another kind of device is not offered as a machine.
    let is_new = view.kind == DeviceKind::Agent && !is_confirmed && !vouched();
    !view.revoked && (view.joined_by_code || is_new)
}

/// Says that a machine which joined by a code is the person's own, to the server and to this browser; and that this was done.
pub(crate) async fn confirm(stores: Stores, device: DeviceId) -> Result<(), Refusal> {
    let me = identity::current();
    api::tell(&format!("/api/devices/{device}/confirm"), &()).await?;
    heard(stores, device);
    if let Some(me) = me {
        kept::keep_confirmed(&me, [device].into()).await;
    }
    tabs::tell(tabs::Word::Confirmed(device));
    if let Some(view) = stores.devices.peek(device) {
        let name = format::name(view.name.as_str());
        stores.toasts.say(text::machines::confirmed(&name), None);
    }
    Ok(())
}

/// A machine was confirmed in this browser.
pub(super) fn heard(stores: Stores, device: DeviceId) {
    stores.confirmed.update(|ids| {
        ids.get_or_insert_default().insert(device);
    });
}

/// A part of the control list came. The first whole one is believed as to what was confirmed before.
pub(crate) fn listed(stores: Stores) {
    let is_first = stores.devices.known().get_untracked() && stores.confirmed.with_untracked(Option::is_none);
    let Some(me) = identity::current().filter(|_| is_first) else {
        return;
    };
    let ids = told(stores, &me);
    stores.confirmed.set(Some(ids.clone()));
    spawn_local(async move { kept::keep_confirmed(&me, ids).await });
}

/// Those that the server says to be confirmed.
fn told(stores: Stores, me: &Identity) -> BTreeSet<DeviceId> {
    let all = untrack(|| stores.devices.ids()).into_iter();
    all.filter_map(|id| stores.devices.peek(id))
        .filter(|view| view.kind == DeviceKind::Agent && !view.joined_by_code && !me.vouches_for(view))
        .map(|view| view.id)
        .collect()
}
