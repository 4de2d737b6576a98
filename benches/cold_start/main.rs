//! How fast `parrot` starts and posts. It is compared with minimal functions in Rust, and with a simple function in
//! Python. Each contestant is started many times, in turns. The Runtime API and the chat are servers on loopback.
//!
//! ```sh
//! cargo bench --bench cold_start
//! cargo bench --bench cold_start -- 50    # the number of turns
//! ```
//!
//! Figures: docs/performance.md.

#![expect(clippy::unwrap_used, reason = "an error here ends the benchmark")]

mod contestant;
mod figures;
mod lambda;
#[path = "../loopback/mod.rs"]
#[expect(dead_code, reason = "it counts nothing but calls")]
mod loopback;
mod tls;

use contestant::Transport;
use figures::Figures;
use tls::Authority;

const TURNS: usize = 30;

/// The number of events in each turn after the first event.
const WARM_EVENTS: usize = 50;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() {
    let turns = std::env::args()
        .find_map(|it| it.parse().ok())
        .unwrap_or(TURNS);
    let contestants = contestant::all();
    let authority = Authority::new();
    for transport in [Transport::Plain, Transport::Tls] {
        let mut figures: Vec<_> = contestants.iter().map(|_| Figures::default()).collect();
        for _ in 0..turns {
            for (contestant, figures) in contestants.iter().zip(&mut figures) {
                figures.add(&lambda::run(contestant, transport, &authority, WARM_EVENTS).await);
            }
        }
        figures::print(transport, &contestants, &figures);
    }
    contestant::print_sizes();
}
