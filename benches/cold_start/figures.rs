//! The figures of many runs, and the printed table.

use std::time::Duration;

use crate::contestant::{Contestant, Transport};
use crate::lambda::Run;

#[derive(Default)]
pub(crate) struct Figures {
    poll: Vec<Duration>,
    cold: Vec<Duration>,
    first: Vec<Duration>,
    aws: Vec<Duration>,
    cpu: Vec<Duration>,
    warm: Vec<Duration>,
    peak_kib: Vec<u64>,
}

impl Figures {
    pub(crate) fn add(&mut self, run: &Run) {
        self.poll.push(run.poll);
        self.cold.push(run.cold);
        self.first.push(run.first);
        self.aws.push(run.aws);
        self.cpu.push(run.cpu);
        self.warm.extend(&run.warm);
        self.peak_kib.push(run.peak_kib);
    }
}

pub(crate) fn print(transport: Transport, contestants: &[Contestant], figures: &[Figures]) {
    println!("Over {transport}: the ratio to `parrot`, then milliseconds; medians\n");
    let names: Vec<_> = contestants.iter().map(ToString::to_string).collect();
    println!("| | {} |", names.join(" | "));
    println!("|---{}|", "|---".repeat(names.len()));
    row("spawn to first poll", figures, |it| {
        milliseconds(median(&it.poll))
    });
    row("spawn to first answer", figures, |it| {
        milliseconds(median(&it.cold))
    });
    row("first event to answer", figures, |it| {
        milliseconds(median(&it.first))
    });
    row("… of this, AWS calls", figures, |it| {
        milliseconds(median(&it.aws))
    });
    row("warm event to answer", figures, |it| {
        milliseconds(median(&it.warm))
    });
    row("… the slowest of a hundred", figures, |it| {
        milliseconds(percentile(&it.warm, 99))
    });
    row("CPU a warm event", figures, |it| {
        milliseconds(median(&it.cpu))
    });
    row(
        "… at 256 MB, which are a seventh of a core",
        figures,
        |it| milliseconds(median(&it.cpu)) * FULL_CORE_MB / 256.0,
    );
    row("peak memory, MB", figures, |it| {
        median(&it.peak_kib) as f64 * 1024.0 / 1e6
    });
    println!();
}

/// The memory at which a function has a whole core:
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>.
const FULL_CORE_MB: f64 = 1_769.0;

fn row(name: &str, figures: &[Figures], figure: fn(&Figures) -> f64) {
    let parrot = figure(&figures[2]);
    let cells = figures.iter().map(|it| {
        let own = figure(it);
        match parrot {
            0.0 => format!("{own:.2}"),
            _ => format!("{:.2} × · {own:.2}", own / parrot),
        }
    });
    println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
}

fn median<T: Copy + Ord>(figures: &[T]) -> T {
    percentile(figures, 50)
}

fn percentile<T: Copy + Ord>(figures: &[T], percent: usize) -> T {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) * percent / 100]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
