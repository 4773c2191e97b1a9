//! `mitalk doctor`.

use super::{Failure, SourceArgs, output};
use crate::doctor::{Finding, Level, examine};

pub(super) fn run(sources: SourceArgs) -> Result<(), Failure> {
    let config = match sources.load() {
        Ok(config) => {
            output::line("fine  the configuration is understood");
            config
        }
        Err(error) => {
            output::line(format_args!("FAIL  the configuration: {error}"));
            return Err(Failure::Told);
        }
    };
    let findings = examine(&config);
    for finding in &findings {
        show(finding);
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    output::line(format_args!("\n{errors} to mend, {warnings} to look at"));
    if errors > 0 { Err(Failure::Told) } else { Ok(()) }
}

fn show(finding: &Finding) {
    let mark = match finding.level {
        Level::Fine => "fine",
        Level::Warning => "look",
        Level::Error => "FAIL",
    };
    output::line(format_args!("{mark}  {}", finding.what));
    if !finding.advice.is_empty() {
        output::line(format_args!("      -> {}", finding.advice));
    }
}
