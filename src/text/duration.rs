//! Reads durations as people write them.

use std::time::Duration;

use jiff::SignedDuration;

/// The allowed texts, for error messages.
pub const ALLOWED: &str = "a number of seconds, or a number with a unit, such as 90s, 10m, 2h";

/// Reads a number of seconds, or a number with a unit. `None` for any other text, and for zero.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let parsed = match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let parsed = text.parse::<SignedDuration>().ok();
            parsed.and_then(|it| Duration::try_from(it).ok())
        }
    };
    parsed.filter(|it| !it.is_zero())
}
