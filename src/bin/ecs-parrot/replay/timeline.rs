//! `--output text`: what the channel showed, one after another.

use std::io::{self, Write};

use anstyle::Style;
use ecs_parrot::notifier::replay::ReplayLine;
use ecs_parrot::notifier::thread::ActionKind;

pub(super) fn print(out: &mut impl Write, line: &ReplayLine) -> io::Result<()> {
    let dim = Style::new().dimmed();
    let bold = Style::new().bold();
    let at = line.at.replace('T', " ");
    let what = match line.action {
        ActionKind::Post => format!("post {}", line.message),
        ActionKind::Update => format!("update {}", line.message),
        ActionKind::Reply => format!("reply to {}", line.message),
        ActionKind::Broadcast => format!("reply to {}, broadcast", line.message),
    };
    writeln!(
        out,
        "{dim}{at}{dim:#} {what}: {bold}{}{bold:#}",
        line.headline
    )?;
    for detail in line.text.lines().skip(1) {
        writeln!(out, "  {detail}")?;
    }
    Ok(())
}
