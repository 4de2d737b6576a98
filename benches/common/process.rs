//! A Lambda function's program, and what it takes.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A running function; it ends with this value.
pub(crate) struct Process {
    child: Child,
    written: Arc<AtomicU64>,
}

impl Process {
    /// Starts a function as Lambda does, with no environment but its own.
    pub(crate) fn start(program: &str, runtime_api: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
            .env("AWS_LAMBDA_FUNCTION_NAME", "parrot")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let written = Arc::default();
        count(child.stdout.take().unwrap(), Arc::clone(&written));
        count(child.stderr.take().unwrap(), Arc::clone(&written));
        Self { child, written }
    }

    /// Bytes of its log.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// The most memory that it took so far.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        figure.unwrap_or(0)
    }

    /// Time on a core, by itself and in the kernel.
    pub(crate) fn cpu(&self) -> Duration {
        const TICKS_A_SECOND: u64 = 100;
        let stat = self.read("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<_> = fields.split_whitespace().collect();
        let ticks = [11, 12]
            .iter()
            .filter_map(|place| fields.get(*place)?.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * 1_000 / TICKS_A_SECOND)
    }

    fn read(&self, what: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{what}", self.child.id())).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count(mut pipe: impl Read + Send + 'static, written: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            written.fetch_add(read as u64, Ordering::Relaxed);
        }
    });
}
