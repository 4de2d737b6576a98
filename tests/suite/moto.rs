//! moto's AWS: the wire shapes of calls, and stacks.

use std::path::Path;

use crate::served::Served;
use crate::tools;

/// moto's AWS on a port of its own, as long as the value lives.
pub(crate) struct Moto(Served);

impl Moto {
    pub(crate) fn start() -> Self {
        Self(Served::by(&mut tools::script("cloud.py")))
    }

    /// With CloudFormation. `stack`: the name and the template of a stack that is there already.
    pub(crate) fn with_stacks(stack: &[&str]) -> Self {
        let mut cloud = tools::acceptance_script("cloud.py");
        Self(Served::by(cloud.arg("stacks").args(stack)))
    }

    /// Writes every request that it gets to a file; in the account that README's policy is for.
    pub(crate) fn recording(file: &Path) -> Self {
        Self(Served::by(
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
