//! Orders that go on until somebody ends them.

use std::sync::Arc;

use beckon_shared::{
    access::Principal,
    error::{ErrorCode, Refusal},
    id::TransferId,
    order::{BadOrder, Order, OrderBody, SignedOrder},
    statement::Standing,
};

use super::{Agent, Open};
use crate::{clock, journal::Ended, orders};

impl Agent {
    /// The order, if it stands. One that goes on until somebody ends it does not lapse once it was taken on.
    pub(super) async fn verified(
        self: &Arc<Self>,
        signed: &SignedOrder,
        standing: &Standing,
    ) -> Result<(Order, Principal), BadOrder> {
        let verified = orders::verify(signed, &self.identity, standing, clock::now());
        let is_standing = || signed.order.peek().is_ok_and(|order| order.body.is_standing());
        if verified != Err(BadOrder::Expired) || !is_standing() {
            return verified;
        }
        let (agent, shown) = (Arc::clone(self), signed.clone());
        let looked = tokio::task::spawn_blocking(move || agent.journal.is_under_way(&shown));
        match looked.await {
            Ok(Ok(true)) => orders::verify_taken(signed, &self.identity, standing),
            _ => verified,
        }
    }

    /// A root is watched by one order: a later one takes the place of the one before.
    pub(super) fn replace_watches(&self, id: TransferId) {
        let mut orders = self.work.open();
        let watched = |open: &Open| match &open.body {
            OrderBody::Watch(watch) if !open.is_over => Some((watch.root, watch.space)),
            _ => None,
        };
        let Some(place) = orders.get(&id).and_then(watched) else {
            return;
        };
        let same = orders.iter().filter(|(_, open)| watched(open) == Some(place));
        let Some(latest) = same.map(|(id, _)| *id).max() else {
            return;
        };
        for (id, open) in orders.iter_mut().filter(|(id, _)| **id != latest) {
            if watched(open) == Some(place) {
                tracing::info!(%id, %latest, "another order to watch the same root takes the place of this one");
                open.end_as(replaced());
            }
        }
    }
}

fn replaced() -> Ended {
    let advice = "another order to watch the same root took its place";
    Ended {
        error: Some(Refusal::new(ErrorCode::Conflict, advice)),
        ..Ended::cancelled()
    }
}
