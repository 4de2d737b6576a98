//! `ecs-parrot doctor`: looks at a deployed installation, and says what is wrong and what to do.
//!
//! It only reads, and posts nothing. A call that the credentials do not allow is a finding, and the other checks go on.

mod channels;
mod finding;
mod installation;
mod role;
mod rules;
mod storage;
mod trail;

use std::io::Write as _;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use ecs_parrot::aws::Session;
use ecs_parrot::http::SharedClient;
use serde_json::json;

use crate::args::{DoctorArgs, DoctorOutput};
use crate::notify::log_to_standard_error;
use finding::{Finding, Findings, Severity};
use installation::Installation;

pub(crate) async fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    log_to_standard_error();
    let http = SharedClient::default();
    let session = Session::open(&http, args.profile.as_deref(), args.region.as_deref()).await?;
    let it = Installation::find(&session, args.function.as_deref()).await?;
    let mut findings = Findings::default();
    installation::check(&session, &it, &mut findings).await;
    let version = installation::version(&session, &it, &mut findings).await;
    let heard = rules::check(&session, &it, &mut findings).await;
    if !heard.is_known || heard.has_api_calls {
        trail::check(&session, &mut findings).await;
    }
    storage::check_queues(&session, &it, &mut findings).await;
    storage::check_table(&session, &it, &mut findings).await;
    role::check(&session, &it, &mut findings).await;
    channels::check(&session, &http, &it, &mut findings).await;
    match args.output {
        DoctorOutput::Text => print(&it, version.as_deref(), &findings)?,
        DoctorOutput::Json => {
            let report = json!({
                "function": it.name,
                "account": it.account,
                "region": it.region,
                "version": version,
                "findings": findings.findings,
                "passed": findings.passed,
            });
            writeln!(anstream::stdout(), "{report:#}")?;
        }
    }
    Ok(match findings.is_wrong() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn print(it: &Installation, version: Option<&str>, findings: &Findings) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    let version = version.unwrap_or("unknown");
    writeln!(
        out,
        "{} in {} of account {}, version {version}",
        it.name, it.region, it.account
    )?;
    for finding in &findings.findings {
        let Finding {
            id,
            problem,
            remedy,
            severity,
        } = finding;
        let (style, word) = shown(*severity);
        let (problem, remedy) = (in_one_line(problem), in_one_line(remedy));
        writeln!(
            out,
            "{style}{word}{style:#} {id}: {problem}\n  do: {remedy}"
        )?;
    }
    writeln!(
        out,
        "checked without a finding: {}",
        findings.passed.join(", ")
    )
}

fn shown(severity: Severity) -> (Style, &'static str) {
    let color = |it: AnsiColor| Style::new().fg_color(Some(it.into())).bold();
    match severity {
        Severity::Wrong => (color(AnsiColor::Red), "wrong"),
        Severity::Warning => (color(AnsiColor::Yellow), "warning"),
        Severity::NotChecked => (color(AnsiColor::Cyan), "not checked"),
    }
}

/// Names and errors of AWS must not move the cursor or colour the terminal.
fn in_one_line(text: &str) -> String {
    let printed = |it: char| if it.is_control() { ' ' } else { it };
    text.chars().map(printed).collect()
}
