//! SIGINT, SIGTERM and SIGHUP. They do not end the process at once, because a running task must be stopped first.

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
    /// 128 plus the number of the signal, as in shells.
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

/// The signals that the process received. Before [`Interrupts::catch`] a signal ends the process at once: then there is
/// nothing to stop.
#[derive(Default)]
pub(crate) struct Interrupts {
    received: Option<mpsc::UnboundedReceiver<Signal>>,
    /// A signal that was read and must still be handled.
    put_back: Option<Signal>,
}

impl Interrupts {
    /// From now on signals do not end the process.
    pub(crate) fn catch(&mut self) -> std::io::Result<()> {
        let (sender, receiver) = mpsc::unbounded_channel();
        listen(sender)?;
        self.received = Some(receiver);
        Ok(())
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        if let Some(signal) = self.put_back.take() {
            return signal;
        }
        let next = match &mut self.received {
            Some(receiver) => receiver.recv().await,
            None => None,
        };
        match next {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }

    /// A signal that was already received.
    pub(crate) fn pending(&mut self) -> Option<Signal> {
        let put_back = self.put_back.take();
        put_back.or_else(|| self.received.as_mut()?.try_recv().ok())
    }

    /// Makes this signal the next one.
    pub(crate) fn put_back(&mut self, signal: Signal) {
        self.put_back = Some(signal);
    }
}

#[cfg(unix)]
fn listen(sender: mpsc::UnboundedSender<Signal>) -> std::io::Result<()> {
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
            if sender.send(signal).is_err() {
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

/// Whether SIGHUP is ignored, as under `nohup`. Then it must stay ignored. Only Linux shows this; on other systems the
/// signal is handled.
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
fn listen(sender: mpsc::UnboundedSender<Signal>) -> std::io::Result<()> {
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if sender.send(Signal::Interrupt).is_err() {
                return;
            }
        }
    });
    Ok(())
}
