//! Time, memory and processor seconds of programs, and the table that they are shown in.

use std::{fs, time::Instant};

/// Seconds that `work` took.
pub(crate) fn seconds<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed().as_secs_f64(), result)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Peak resident memory of a process in MiB (VmHWM of proc(5)).
pub(crate) fn peak_mib(pid: u32) -> f64 {
    kib_of(pid, "VmHWM") / 1024.0
}

/// Resident memory of a process in KiB (VmRSS of proc(5)).
pub(crate) fn resident_kib(pid: u32) -> f64 {
    kib_of(pid, "VmRSS")
}

fn kib_of(pid: u32, what: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status
        .lines()
        .find(|line| line.starts_with(what))
        .expect("Linux tells it");
    let kib = line.split_whitespace().nth(1).expect("a figure");
    kib.parse().expect("a number")
}

/// Processor seconds of a process so far (utime and stime of proc(5), in ticks of 10 ms).
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    ticks(&pid.to_string(), 11)
}

/// Two fields of proc(5)'s `stat` together, in seconds; the first is the one behind so many that follow the name.
fn ticks(process: &str, skip: usize) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(skip)
        .take(2)
        .map(|field| field.parse::<f64>().expect("ticks"))
        .sum();
    ticks / 100.0
}

/// Processor seconds of all programs that this one has started and that have ended.
pub(crate) fn children_cpu_seconds() -> f64 {
    ticks("self", 13)
}

/// Prints a figure beside what is to be reached, and remembers whether it was.
pub(crate) struct Report {
    missed: usize,
}

impl Report {
    pub(crate) fn new() -> Self {
        println!("{:<64} {:>12} {:>12}", "figure", "measured", "to reach");
        Self { missed: 0 }
    }

    /// A figure with a bound that it should stay below.
    pub(crate) fn below(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        let verdict = if value <= limit { "" } else { "  missed" };
        self.missed += usize::from(value > limit);
        println!(
            "{what:<64} {:>12} {:>12}{verdict}",
            format!("{value:.2} {unit}"),
            format!("{limit} {unit}")
        );
    }

    /// A figure with a bound that it should not stay below.
    pub(crate) fn above(&mut self, what: &str, value: f64, limit: f64, unit: &str) {
        let verdict = if value >= limit { "" } else { "  missed" };
        self.missed += usize::from(value < limit);
        println!(
            "{what:<64} {:>12} {:>12}{verdict}",
            format!("{value:.2} {unit}"),
            format!("{limit} {unit}")
        );
    }

    /// A figure without a bound.
    pub(crate) fn note(&self, what: &str, value: f64, unit: &str) {
        println!("{what:<64} {:>12}", format!("{value:.2} {unit}"));
    }

    /// Says how many bounds were missed.
    pub(crate) fn close(self) {
        println!("\n{} of the bounds missed", self.missed);
    }
}
