//! The process of a Lambda function, and the resources that it uses.

use std::io::Read;
use std::process::{Child, Command, Stdio};

/// A running function. It ends when this value is dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a function as Lambda does, with only this environment. `count_bytes` is called with the size of each
    /// piece of its log.
    pub(crate) fn start(
        mut command: Command,
        runtime_api: &str,
        environment: &[(&str, &str)],
        count_bytes: impl Fn(usize) + Clone + Send + 'static,
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
        drain(child.stdout.take().unwrap(), count_bytes.clone());
        drain(child.stderr.take().unwrap(), count_bytes);
        Self { child }
    }

    /// Its peak memory so far.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        figure.unwrap_or(0)
    }

    /// The text of a file of the process in `/proc`.
    pub(crate) fn read(&self, what: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{what}", self.child.id())).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already. This is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drain(mut pipe: impl Read + Send + 'static, count_bytes: impl Fn(usize) + Send + 'static) {
    std::thread::spawn(move || {
        let mut buffer = [0; 1 << 16];
        while let Ok(read @ 1..) = pipe.read(&mut buffer) {
            count_bytes(read);
        }
    });
}
