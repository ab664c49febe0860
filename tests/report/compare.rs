//! Several reports side by side.

use std::path::Path;

use fallcast::bench::{
    compare::{Comparison, name_of, render},
    html,
};

use super::sample::Plan;

/// A fast machine, one that is twice as slow, and one like the first.
fn class() -> Comparison {
    let report = |name: &str, seed, slowness| (name.to_owned(), Plan { seed, slowness, ..Plan::default() }.report());
    Comparison::of(&[report("anna", 1, 1.0), report("ben", 2, 2.2), report("cleo", 3, 1.0)])
}

fn findings(comparison: &Comparison, about: &str) -> Vec<String> {
    let about = comparison.findings.iter().filter(|finding| finding.text.starts_with(about));
    about.map(|finding| finding.text.clone()).collect()
}

#[test]
fn ratios_carry_over_and_figures_belong_to_the_machine() {
    let comparison = class();
    let cpu = findings(&comparison, "Server CPU per delivery");
    assert_eq!(cpu.len(), 2, "{cpu:?}");
    assert!(
        cpu[0].contains("against WebSocket: SSE shows no difference on all 3 machines; long-polling 3."),
        "{cpu:?}"
    );
    assert!(cpu[0].ends_with("times on all 3 machines."), "{cpu:?}");
    assert!(cpu[1].contains("depends on the machine: WebSocket from ") && cpu[1].contains("µs (ben)"), "{cpu:?}");
}

#[test]
fn what_is_equal_on_all_machines_does_not_depend_on_the_machine() {
    let bytes = findings(&class(), "Bytes per delivery");
    assert_eq!(
        bytes,
        [
            "Bytes per delivery against WebSocket: SSE 1.55 times on all 3 machines; long-polling 7.03 times on all 3 machines."
        ]
    );
}

#[test]
fn machines_that_disagree_are_named() {
    let mut slow = Plan { seed: 2, ..Plan::default() }.report();
    for round in &mut slow.cells[1].rounds {
        let cpu_ns = &mut round.server.as_mut().expect("costs").cpu_ns;
        *cpu_ns = cpu_ns.map(|ns| ns * 2);
    }
    slow.complete();
    let comparison = Comparison::of(&[("anna".to_owned(), Plan::default().report()), ("ben".to_owned(), slow)]);
    let cpu = findings(&comparison, "Server CPU per delivery against");
    assert!(cpu[0].contains("SSE not the same everywhere (anna: no difference seen, ben: "), "{cpu:?}");
}

#[test]
fn cells_are_matched_by_transport_and_load() {
    let report = |subscribers: &[u32]| Plan { subscribers: subscribers.to_vec(), ..Plan::default() }.report();
    let comparison = Comparison::of(&[("a".to_owned(), report(&[100, 200])), ("b".to_owned(), report(&[200]))]);
    assert!(comparison.cells.iter().all(|cell| cell.load.starts_with("200 subscribers")));
    assert_eq!(comparison.cells.len(), 3);
    assert_eq!(comparison.alone.len(), 3);
}

#[test]
fn different_methods_are_said_before_anything_is_compared() {
    let mut other = Plan::default().report();
    other.settings.warm_up_s = 3.0;
    let comparison = Comparison::of(&[("a".to_owned(), Plan::default().report()), ("b".to_owned(), other)]);
    assert_eq!(comparison.caveats, ["The warm-up is not the same: a 1 s and b 3 s."]);
    assert!(render(&comparison).contains("The warm-up is not the same"));
}

#[test]
fn reports_are_named_by_their_folder_or_file() {
    let name = |path: &str| name_of(Path::new(path));
    assert_eq!(name("class/anna/report.json"), "anna");
    assert_eq!(name("class/ben.json"), "ben");
    assert_eq!(name("class/cleo/"), "cleo");
    assert_eq!(name("report.json"), "report");
}

#[test]
fn the_table_and_the_page_show_every_machine() {
    let comparison = class();
    let (table, page) = (render(&comparison), html::render_comparison(&comparison));
    for name in ["anna", "ben", "cleo"] {
        assert!(table.contains(&format!("× on {name}")) && page.contains(name), "{name}");
    }
}

#[test]
fn too_few_rounds_do_not_make_a_difference_between_machines() {
    let report = |name: &str, slowness| (name.to_owned(), Plan { rounds: 4, slowness, ..Plan::default() }.report());
    let comparison = Comparison::of(&[report("anna", 1.0), report("ben", 3.0)]);
    assert!(!comparison.findings.iter().any(|finding| finding.text.contains("depends on the machine")));
}
