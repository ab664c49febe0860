//! Valgrind's tool Callgrind: how it is started, and what its profile says.

use std::{path::Path, process::Command};

use super::Result;

/// Which Valgrind there is.
pub fn version() -> Result<String> {
    let output = Command::new("valgrind").arg("--version").output();
    let output = output.map_err(|error| format!("can't start valgrind, which this benchmark needs: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command that runs a program under Callgrind. The profile is in `file` when the program has ended.
pub fn command(file: &Path, program: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--quiet"]);
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(program);
    command
}

/// All instructions of a profile: its line `totals:`.
pub fn total(profile: &str) -> Result<u64> {
    let is_of_instructions = profile.lines().any(|line| line == "events: Ir");
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    total.filter(|_| is_of_instructions).ok_or_else(|| "the profile has no total of instructions".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npid: 7\ncmd:  a b\npart: 1\n\n\
                           desc: Trigger: Program termination\n\npositions: line\nevents: Ir\nsummary: 130\n\n\
                           ob=(1) /bin/a\nfn=(1) main\n0 120\n\ntotals: 1234567\n";

    #[test]
    fn the_total_is_that_of_the_last_line() {
        assert_eq!(total(PROFILE).expect("a whole profile"), 1_234_567);
    }

    #[test]
    fn a_profile_of_a_run_that_broke_off_or_of_other_events_is_an_error() {
        assert!(total("").is_err());
        assert!(total(PROFILE.split_once("totals").expect("it is there").0).is_err());
        assert!(total(&PROFILE.replace("events: Ir", "events: Ge")).is_err());
    }
}
