//! What the rounds of a report say together.

use fallcast::bench::{
    histogram,
    metric::{Metric, merged},
    report::{Distribution, Finding, Loop, Report, Validity},
};

use super::sample::Plan;

fn texts(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|Finding { text, .. }| text.as_str()).collect()
}

#[test]
fn histograms_are_merged_and_percentiles_never_averaged() {
    let report = Plan::default().report();
    for cell in &report.cells {
        let summary = cell.summary.as_ref().expect("valid rounds");
        let mut all = histogram::new();
        for round in &cell.rounds {
            all.add(round.latency.decode().expect("a histogram")).expect("equal bounds");
        }
        assert_eq!(summary.latency.n, cell.rounds.iter().map(|round| round.n).sum::<u64>());
        assert_eq!(summary.latency.p99_ns, Some(all.value_at_quantile(0.99)));
        assert_eq!(summary.latency.max_ns, cell.rounds.iter().filter_map(|round| round.latency.figures.max_ns).max());
    }
}

#[test]
fn costs_are_added_up_before_they_are_divided() {
    let mut report = Plan::default().report();
    let cell = &mut report.cells[0];
    for (round, (cpu_ns, n)) in cell.rounds.iter_mut().zip([(100, 10), (300, 10), (10, 10), (10, 10), (20, 50)]) {
        round.server.as_mut().expect("costs").cpu_ns = Some(cpu_ns);
        round.n = n;
    }
    let rounds: Vec<_> = cell.rounds.iter().collect();
    let estimate = Metric::Cpu.of_rounds(cell, &rounds).expect("every round has it");
    assert!((estimate.value - 440.0 / 90.0).abs() < 1e-9, "{estimate:?}");
    assert!((estimate.low - 0.4).abs() < 1e-9 && (estimate.high - 30.0).abs() < 1e-9, "{estimate:?}");
}

#[test]
fn rounds_that_do_not_count_are_left_out() {
    let whole = Plan::default().report();
    let part = Plan { invalid: vec![(0, 2)], ..Plan::default() }.report();
    let [whole, part] = [whole, part].map(|report| report.cells[0].summary.clone().expect("valid rounds"));
    assert_eq!((whole.rounds, part.rounds), (vec![1, 2, 3, 4, 5], vec![1, 3, 4, 5]));
    assert_eq!(whole.totals.n * 4 / 5, part.totals.n);
    assert_eq!((whole.coverage, part.coverage), (Some(0.9375), Some(0.875)));
}

#[test]
fn a_cell_without_a_valid_round_has_no_summary_and_still_shows_its_figures() {
    let report = Plan { invalid: (1..=5).map(|round| (0, round)).collect(), ..Plan::default() }.report();
    assert_eq!(report.cells[0].summary, None);
    let doubtful = report.cells[0].doubtful.as_ref().expect("it is there to be looked at");
    assert_eq!(doubtful.totals.n, report.cells[0].rounds.iter().map(|round| round.n).sum::<u64>());
    assert!(report.cells[1..].iter().all(|cell| cell.doubtful.is_none()));
    let table = fallcast::bench::table::render(&report);
    assert!(table.contains("(does not count)"), "{table}");
    assert!(texts(&report).contains(&"5 of 15 rounds do not count; each says why. Lower --rate or --subscribers."));
}

#[test]
fn percentiles_go_as_far_as_n_carries_them() {
    for (n, carried) in
        [(1, [false; 3]), (100, [true, false, false]), (1_000, [true, true, false]), (10_000, [true; 3])]
    {
        for (n, carried) in [(n, carried), (n.max(2) - 1, if n == 1 { carried } else { [n > 100, n > 1_000, false] })] {
            let mut values = histogram::new();
            (0..n).for_each(|value| values.saturating_record(value + 1));
            let figures = Distribution::of(&values).figures;
            assert_eq!([figures.p90_ns, figures.p99_ns, figures.p999_ns].map(|it| it.is_some()), carried, "{n} values");
            assert_eq!((figures.n, figures.min_ns, figures.max_ns.is_some()), (n, Some(1), true));
        }
    }
    assert_eq!(Distribution::of(&histogram::new()).figures.p50_ns, None);
    assert!(merged([&Distribution::default()]).is_empty());
}

#[test]
fn equals_show_no_difference_and_others_their_ratio() {
    let report = Plan::default().report();
    let cpu = texts(&report).into_iter().find(|text| text.starts_with("Server CPU per delivery:")).expect("a finding");
    assert!(cpu.contains("SSE: no difference seen; long-polling 3."), "{cpu}");
    assert!(cpu.ends_with(") times that."), "{cpu}");
}

#[test]
fn what_was_lost_repeated_or_reordered_is_told_first() {
    let mut report = Plan::default().report();
    assert_eq!(texts(&report)[0], "Nothing was lost, repeated, reordered or damaged in 150,000 deliveries.");
    let round = &mut report.cells[1].rounds[2];
    (round.n, round.lost, round.repeated) = (round.n - 7, 7, 2);
    report.complete();
    assert_eq!(report.findings[0].text, "Beside 149,993 deliveries in order: 7 lost and 2 repeated.");
    assert_eq!(report.findings[0].cells, [report.cells[1].id.clone()]);
}

#[test]
fn two_rounds_are_too_few_to_compare() {
    let report = Plan { rounds: 2, ..Plan::default() }.report();
    assert!(!texts(&report).iter().any(|text| text.starts_with("Median latency")));
    assert!(report.does_not_show.iter().any(|limit| limit.starts_with("Fewer than three rounds count")));
    let part = Plan { invalid: vec![(1, 1), (1, 2), (1, 3)], ..Plan::default() }.report();
    let latency = texts(&part).into_iter().find(|text| text.starts_with("Median latency")).expect("a finding");
    assert!(latency.ends_with("times that; SSE: cannot be compared."), "{latency}");
}

#[test]
fn a_stop_of_the_server_is_told_by_how_many_deliveries_it_delayed() {
    // Half of a stop of 500 ms in rounds of 2 s: an eighth of the messages is due then.
    let mut report = Plan { is_frozen: true, ..Plan::default() }.report();
    let stop = |report: &Report| {
        texts(report).into_iter().find(|text| text.starts_with("The server stood still")).expect("a finding").to_owned()
    };
    let open = "The server stood still for 500 ms in each round, and it shows: 12.5 % of the messages were due when they had \
                to wait for 250 ms or longer, and so many deliveries took that long: WebSocket 13.0 %, SSE 13.0 % and \
                long-polling 13.0 %.";
    assert_eq!(stop(&report), open);
    report.settings.loop_ = Loop::Closed;
    report.complete();
    assert!(stop(&report).contains("the closed loop hides it"), "{}", stop(&report));
    assert!(report.does_not_show.iter().any(|limit| limit.starts_with("The loop was closed")));
}

#[test]
fn limits_depend_on_how_it_was_measured() {
    let mut report = Plan::default().report();
    let says = |report: &Report, text: &str| report.does_not_show.iter().any(|limit| limit.contains(text));
    assert!(says(&report, "Loopback is no network") && !says(&report, "shared a processor core"));
    report.settings.pinned = false;
    report.made.debug = true;
    report.cells.iter_mut().for_each(|cell| cell.via = Some("lab:mobile-3g".to_owned()));
    report.cells[0].rounds[0].validity = Validity::default();
    report.complete();
    assert!(!says(&report, "Loopback is no network") && says(&report, "shared a processor core"));
    assert!(says(&report, "loses no packet") && says(&report, "debug build"));
}

#[test]
fn the_recovery_of_who_cannot_get_back_what_it_missed_is_compared_with_nobodys() {
    let mut report = Plan::default().report();
    for round in &mut report.cells[0].rounds {
        round.recovery.as_mut().expect("a cut").lost = 3;
    }
    report.complete();
    let loser = report.cells[0].id.clone();
    let told: Vec<_> = report.findings.iter().filter(|finding| finding.text.contains("lost for good")).collect();
    assert_eq!(told.len(), 1, "{:#?}", texts(&report));
    assert!(told[0].text.contains("15 deliveries") && told[0].cells == [loser.clone()], "{told:#?}");
    let compared = report.findings.iter().find(|finding| finding.text.starts_with("Recovery after a cut"));
    assert!(compared.is_some_and(|finding| !finding.cells.contains(&loser)), "{compared:#?}");
}
