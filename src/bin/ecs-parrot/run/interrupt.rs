//! SIGINT, SIGTERM and SIGHUP, kept until somebody asks: a task that runs must be stopped first.

use std::fmt;

use tokio::sync::mpsc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
    /// The terminal was closed.
    HangUp,
}

impl Signal {
    /// 128 and the signal's number, as shells have it.
    pub(crate) fn status(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::HangUp => 129,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::HangUp => "SIGHUP",
        })
    }
}

/// Before they are caught, a signal ends the process at once: nothing is there yet that must be stopped.
#[derive(Default)]
pub(crate) struct Interrupts {
    caught: Option<mpsc::UnboundedReceiver<Signal>>,
    /// A signal that was taken, and is still to be acted on.
    put_back: Option<Signal>,
}

impl Interrupts {
    /// From here on the signals do not end the process by themselves.
    pub(crate) fn catch(&mut self) -> std::io::Result<()> {
        let (tell, told) = mpsc::unbounded_channel();
        listen(tell)?;
        self.caught = Some(told);
        Ok(())
    }

    /// The next signal; never, if there is none.
    pub(crate) async fn next(&mut self) -> Signal {
        if let Some(signal) = self.put_back.take() {
            return signal;
        }
        let next = match &mut self.caught {
            Some(told) => told.recv().await,
            None => None,
        };
        match next {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }

    /// A signal that has come already.
    pub(crate) fn pending(&mut self) -> Option<Signal> {
        let put_back = self.put_back.take();
        put_back.or_else(|| self.caught.as_mut()?.try_recv().ok())
    }

    /// The same signal is the next one again.
    pub(crate) fn put_back(&mut self, signal: Signal) {
        self.put_back = Some(signal);
    }
}

#[cfg(unix)]
fn listen(tell: mpsc::UnboundedSender<Signal>) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = match ignores_hang_up() {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
                _ = hung_up(&mut hang_up) => Signal::HangUp,
            };
            if tell.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(())
}

#[cfg(unix)]
async fn hung_up(hang_up: &mut Option<tokio::signal::unix::Signal>) {
    match hang_up {
        Some(hang_up) => {
            hang_up.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// `nohup` has the signal ignored, and whoever uses it wants that. Linux says so; elsewhere the signal is caught.
/// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The lowest bit is signal 1, SIGHUP.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
fn listen(tell: mpsc::UnboundedSender<Signal>) -> std::io::Result<()> {
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if tell.send(Signal::Interrupt).is_err() {
                return;
            }
        }
    });
    Ok(())
}
