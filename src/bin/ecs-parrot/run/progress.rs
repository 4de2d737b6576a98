//! The output while a task runs: results on standard output, everything else on standard error. A terminal shows the
//! state in an animated line; a pipe gets plain lines.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use ecs_parrot::runner::logs::{LogLine, LogTailer};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::RunOutput;

pub(crate) struct RunProgress {
    spinner: Option<ProgressBar>,
    started: Instant,
    output: RunOutput,
    state: String,
    /// The reader of the containers' lines has closed the output.
    is_closed: bool,
}

impl RunProgress {
    pub(crate) fn new(output: RunOutput) -> Self {
        // Some CI jobs have a terminal, and their log would keep each frame of the animation.
        let is_animated = io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self {
            spinner: is_animated.then(spinner),
            started: Instant::now(),
            output,
            state: String::new(),
            is_closed: false,
        }
    }

    /// Prints a line. If standard error is closed, the task continues without it.
    pub(crate) fn say(&self, line: &str) {
        let _ = self.above(|| writeln!(anstream::stderr(), "{line}"));
    }

    pub(crate) fn warn(&self, line: &str) {
        let yellow = anstyle::AnsiColor::Yellow.on_default();
        self.say(&format!("{yellow}warning:{yellow:#} {line}"));
    }

    /// Shows the state of the tasks, if it has changed.
    pub(crate) fn state(&mut self, state: String) {
        if state == self.state {
            return;
        }
        match &self.spinner {
            Some(spinner) => spinner.set_message(state.clone()),
            None => self.say(&format!("{state} ({})", elapsed(self.started.elapsed()))),
        }
        self.state = state;
    }

    /// Prints the containers' lines unchanged. The reader may close the output, as `head` does. The run continues then,
    /// because its exit status is still needed.
    pub(crate) fn logs(&mut self, lines: &[LogLine], from: &LogTailer) {
        if lines.is_empty() || self.is_closed {
            return;
        }
        let written = self.above(|| match self.output {
            RunOutput::Text => write_lines(&mut io::stdout().lock(), lines, from),
            RunOutput::Json => write_lines(&mut io::stderr().lock(), lines, from),
        });
        if let Err(error) = written {
            self.is_closed = true;
            self.warn(&format!("log lines are not shown any more: {error}"));
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }

    fn above<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.spinner {
            Some(spinner) => spinner.suspend(write),
            None => write(),
        }
    }
}

fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

fn write_lines(out: &mut impl io::Write, lines: &[LogLine], from: &LogTailer) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    for line in lines {
        let text = line.text.strip_suffix('\n').unwrap_or(&line.text);
        if from.has_several_tasks() {
            let task: String = line.task.chars().take(8).collect();
            write!(out, "{task} ")?;
        }
        if from.has_several_containers() {
            write!(out, "{} | ", line.container)?;
        } else if from.has_several_tasks() {
            write!(out, "| ")?;
        }
        writeln!(out, "{text}")?;
    }
    out.flush()
}

/// `43 s`, `10 min`, `2 min 5 s`.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
