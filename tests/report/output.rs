//! What a run leaves in its folder.

use std::{fs, path::PathBuf};

use fallcast::bench::{output, report::Report, verify::Verification};

use super::sample::Plan;

/// A folder that is not there yet.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder can be removed");
    }
    folder
}

#[test]
fn a_run_leaves_its_report_its_page_and_its_percentiles() {
    let folder = folder("report-complete");
    let report = Plan::default().report();
    output::prepare(&folder).expect("a new folder");
    output::write(&report, &folder).expect("room on the disk");

    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    let json = read("report.json");
    assert_eq!(serde_json::from_str::<Report>(&json).expect("a report"), report);
    let verification = Verification::of(&json);
    assert!(verification.is_sound(), "{verification}");
    assert!(read("report.html").contains(&report.checksum));
    for cell in &report.cells {
        let n = cell.summary.as_ref().expect("valid rounds").latency.n;
        assert!(read(&format!("{}.hgrm", cell.id)).contains(&format!("Total count    = {n:14}")), "{}", cell.id);
    }
}

#[test]
fn what_is_there_already_is_not_overwritten() {
    let folder = folder("report-there");
    output::prepare(&folder).expect("a new folder");
    output::prepare(&folder).expect("it is empty still");
    fs::write(folder.join("notes.txt"), "mine").expect("room on the disk");
    let refusal = output::prepare(&folder).expect_err("somebody's notes are there").to_string();
    assert!(refusal.contains("report-there") && refusal.contains("--out"), "{refusal}");
}
