//! From an order that is sent to the server until its machine has acknowledged it and the server has recorded that: more than
//! the way from the server's acceptance, of which a terminal hears only after the machine.

use std::time::{Duration, Instant};

use super::{Scene, Size};
use crate::{fleet::Controller, measure::Report};

/// An order that takes longer never comes.
const LIMIT: Duration = Duration::from_secs(10);

pub(super) fn measure(scene: &mut Scene, size: Size, report: &mut Report) {
    let count = size.of(2000) as usize;
    let mut times = Vec::with_capacity(count);
    let controller = Controller::connect(&scene.target, &scene.account);
    let mut controller = scene.fleet.run(controller);
    for number in 0..count {
        // Far apart, so that it is not always the same thread of the server.
        let machine = number * 7 % scene.fleet.devices.len();
        let begun = Instant::now();
        let id = scene.fleet.run(controller.order(&scene.fleet.devices[machine]));
        let acknowledged = scene.fleet.wait_acknowledged(id, LIMIT);
        times.push(acknowledged.saturating_duration_since(begun).as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    report.below(
        &format!("{}: an order is acknowledged, median", scene.what),
        at(0.5),
        5.0,
        "ms",
    );
    report.below(
        &format!("{}: an order is acknowledged, p99", scene.what),
        at(0.99),
        25.0,
        "ms",
    );
}
