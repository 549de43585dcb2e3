//! Reaching a machine directly: a few addresses, shortly after each other, and the first that proves to be the machine wins.

use core::net::SocketAddr;
use std::rc::Rc;

use beckon_shared::{neighbour::Candidate, wire::SESSION_PROTOCOL};
use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{
    super::message::{Missed, Straight},
    line::{Line, Via},
};
use crate::{dom, socket::wire::Wire};

/// Between two addresses. Milliseconds.
const APART_MS: u32 = 150;

/// Tries all of them. A socket that the browser forbids may tell nothing for ever, hence the deadline.
pub(super) async fn reach(way: &Straight) -> Result<Rc<Line>, Missed> {
    let mut tries: FuturesUnordered<_> = (0_u32..)
        .zip(&way.candidates)
        .map(|(at, candidate)| async move {
            dom::sleep(at * APART_MS).await;
            attempt(way, *candidate).await
        })
        .collect();
    let mut missed = Missed::Silent;
    let first = async {
        while let Some(tried) = tries.next().await {
            match tried {
                Ok(line) => return Some(line),
                Err(Missed::Another) => missed = Missed::Another,
                Err(Missed::Silent) => {}
            }
        }
        None
    };
    let found = dom::within(way.deadline, first).await.flatten();
    found.ok_or(missed)
}

async fn attempt(way: &Straight, at: SocketAddr) -> Result<Rc<Line>, Missed> {
    let candidate = Candidate {
        address: at.ip(),
        port: at.port(),
    };
    // The browser may be asking the person meanwhile, so it is waited for as long as all of them are.
    let wire = Wire::open(&candidate.url(), &[SESSION_PROTOCOL], way.deadline).await;
    let wire = wire.map_err(|_| Missed::Silent)?;
    let line = Line::open(wire, &way.machine, Via::Straight(at)).await;
    line.map_err(|_| Missed::Another)
}
