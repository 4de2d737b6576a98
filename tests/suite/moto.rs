//! moto, a mock of AWS. The tests use it to check the wire format of calls, and for CloudFormation stacks.

use std::path::Path;

use crate::server_process::ServerProcess;
use crate::tools;

/// A moto server on its own port. It ends when the value is dropped.
pub(crate) struct Moto(ServerProcess);

impl Moto {
    pub(crate) fn start() -> Self {
        Self(ServerProcess::start(&mut tools::script("cloud.py")))
    }

    /// Starts it with CloudFormation. `stack` is the name and the template file of a stack that exists from the start.
    pub(crate) fn with_stacks(stack: &[&str]) -> Self {
        let mut cloud = tools::acceptance_script("cloud.py");
        Self(ServerProcess::start(cloud.arg("stacks").args(stack)))
    }

    /// Starts it in the account of README's policy, and records every request in a file.
    pub(crate) fn recording(file: &Path) -> Self {
        Self(ServerProcess::start(
            tools::script("cloud.py")
                .env("MOTO_ENABLE_RECORDING", "true")
                .env("MOTO_RECORDER_FILEPATH", file)
                .env("MOTO_ACCOUNT_ID", crate::fake_aws::ACCOUNT),
        ))
    }

    pub(crate) fn url(&self) -> &str {
        self.0.url()
    }
}
