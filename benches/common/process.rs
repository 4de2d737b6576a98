//! A Lambda function's program, and what it takes.

use std::io::Read;
use std::process::{Child, Command, Stdio};

/// A running function; it ends with this value.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a function as Lambda does, with no environment but its own; `hear` learns how much it logs.
    pub(crate) fn start(
        mut command: Command,
        runtime_api: &str,
        environment: &[(&str, &str)],
        hear: impl Fn(usize) + Clone + Send + 'static,
    ) -> Self {
        let mut child = command
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
        drain(child.stdout.take().unwrap(), hear.clone());
        drain(child.stderr.take().unwrap(), hear);
        Self { child }
    }

    /// The most memory that it took so far.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        figure.unwrap_or(0)
    }

    /// A file that the kernel keeps about it.
    pub(crate) fn read(&self, what: &str) -> String {
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

fn drain(mut pipe: impl Read + Send + 'static, hear: impl Fn(usize) + Send + 'static) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            hear(read);
        }
    });
}
