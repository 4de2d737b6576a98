//! moto's AWS: the wire shapes of calls, and stacks.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::tools;

/// moto's AWS on a port of its own. It ends with the value, whose end closes the server's stdin.
pub(crate) struct Moto {
    server: Child,
    stdin: Option<ChildStdin>,
    url: String,
}

impl Moto {
    /// `stack`: the name and the template of a stack that is there already.
    pub(crate) fn start(stack: &[&str]) -> Self {
        Self::spawn(tools::script("cloud.py").args(stack))
    }

    /// Writes every request that it gets to a file; in the account that README's policy is for.
    pub(crate) fn recording(file: &Path) -> Self {
        Self::spawn(
            tools::script("cloud.py")
                .env("MOTO_ENABLE_RECORDING", "true")
                .env("MOTO_RECORDER_FILEPATH", file)
                .env("MOTO_ACCOUNT_ID", crate::fake_aws::ACCOUNT),
        )
    }

    fn spawn(script: &mut Command) -> Self {
        let mut server = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = server.stdin.take();
        let mut url = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut url)
            .unwrap();
        assert!(
            url.starts_with("http://127.0.0.1:"),
            "moto did not start: {url}"
        );
        Self {
            server,
            stdin,
            url: url.trim().to_owned(),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.server.wait();
    }
}
