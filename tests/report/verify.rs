//! Whether a report can be believed: sound ones are, and whatever is changed in one is found.

use fallcast::bench::{checksum, report::Report, verify::Verification};
use serde_json::{Value, json};

use super::sample::Plan;

fn sound() -> Value {
    let plan = Plan { invalid: vec![(1, 2)], ..Plan::default() };
    serde_json::to_value(plan.report()).expect("a report is JSON")
}

/// The faults of a report, its checksum made anew: what arithmetic alone finds.
fn faults(mut report: Value) -> Vec<String> {
    report["checksum"] = checksum::of_value(&report).into();
    let verification = Verification::of(&report.to_string());
    verification.checks.into_iter().flat_map(|check| check.faults).collect()
}

/// Puts `value` at `path` into a sound report, and expects a fault that contains `fault`.
#[track_caller]
fn check_found(path: &str, value: Value, fault: &str) {
    let mut report = sound();
    *report.pointer_mut(path).expect(path) = value;
    let faults = faults(report);
    assert!(faults.iter().any(|found| found.contains(fault)), "{path}: {faults:#?}");
}

#[test]
fn a_sound_report_holds() {
    let plans = [
        Plan::default(),
        Plan { is_frozen: true, ..Plan::default() },
        Plan { invalid: vec![(0, 1), (2, 5)], subscribers: vec![10, 50], ..Plan::default() },
        Plan { rounds: 1, ..Plan::default() },
        Plan { transports: vec!["sse"], ..Plan::default() },
    ];
    for plan in plans {
        let verification = Verification::of(&serde_json::to_string_pretty(&plan.report()).expect("JSON"));
        assert!(verification.is_sound(), "{verification}");
    }
}

#[test]
fn another_layout_of_the_same_json_holds() {
    // Keys in alphabetical order, no spaces, as `jq --sort-keys --compact-output` prints it.
    let verification = Verification::of(&sound().to_string());
    assert!(verification.is_sound(), "{verification}");
}

#[test]
fn every_change_of_a_value_is_found_by_the_checksum() {
    let small = Plan { transports: vec!["sse"], subscribers: vec![10], rounds: 2, ..Plan::default() };
    let report = serde_json::to_value(small.report()).expect("a report is JSON");
    let mut paths = Vec::new();
    leaves(&report, String::new(), &mut paths);
    assert!(paths.len() > 300, "only {} values", paths.len());
    for path in paths {
        let mut changed = report.clone();
        let leaf = changed.pointer_mut(&path).expect("a path");
        *leaf = match &*leaf {
            Value::Bool(value) => json!(!value),
            Value::Number(value) => json!(value.as_f64().unwrap_or_default() * 1.01 + 1.0),
            Value::String(text) => json!(format!("{text}x")),
            other => json!([other.clone()]),
        };
        assert_ne!(checksum::of_value(&changed), report["checksum"].as_str().unwrap_or_default(), "{path}");
    }
}

#[test]
fn no_value_is_so_absurd_that_it_cannot_be_checked() {
    let small = Plan { transports: vec!["sse"], subscribers: vec![5], duration_s: 0.4, rounds: 2, ..Plan::default() };
    let report = serde_json::to_value(small.report()).expect("a report is JSON");
    let mut paths = Vec::new();
    leaves(&report, String::new(), &mut paths);
    for path in paths {
        for absurd in [json!(u64::MAX), json!(-1), json!(0), json!(1e308), json!(""), json!([]), Value::Null] {
            let mut changed = report.clone();
            *changed.pointer_mut(&path).expect("a path") = absurd.clone();
            let verification = Verification::of(&changed.to_string());
            let is_unchanged = report.pointer(&path) == Some(&absurd);
            assert!(is_unchanged || !verification.is_sound(), "{path}: {absurd}");
        }
    }
}

fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| *name != "checksum") {
                leaves(value, format!("{path}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                leaves(value, format!("{path}/{at}"), found);
            }
        }
        _ => found.push(path),
    }
}

#[test]
fn a_change_without_a_new_checksum_is_found() {
    let mut report = sound();
    report["machine"]["processor"] = "a much faster one".into();
    let verification = Verification::of(&report.to_string());
    assert!(!verification.is_sound());
    assert!(verification.to_string().contains("✗ nothing was changed since it was written"), "{verification}");
}

#[test]
fn figures_that_the_histograms_do_not_give_are_found() {
    check_found("/cells/0/rounds/0/latency/p50_ns", json!(1), "latency.p50_ns is 1, but the raw data say");
    check_found("/cells/0/rounds/0/latency/p99_ns", json!(1), "latency.p99_ns is 1, but the raw data say");
    check_found("/cells/0/rounds/0/latency/max_ns", json!(1), "latency.max_ns is 1");
    check_found("/cells/0/rounds/0/skew/p50_ns", json!(1), "skew.p50_ns is 1");
    check_found("/cells/0/rounds/0/first_message/min_ns", json!(1), "first_message.min_ns is 1");
    check_found("/cells/0/rounds/0/generator/lag/max_ns", json!(1), "generator.lag.max_ns is 1");
    check_found("/cells/0/rounds/0/recovery/time/p50_ns", json!(1), "recovery.time.p50_ns is 1");
}

#[test]
fn a_percentile_that_n_does_not_carry_is_found() {
    let mut report = sound();
    // 100 messages are too few for it.
    report["cells"][0]["rounds"][0]["skew"]["p99_ns"] = json!(50_000);
    let faults = faults(report);
    assert!(faults.iter().any(|fault| fault.contains("skew.p99_ns is 50000, but nothing carries it")), "{faults:#?}");
}

#[test]
fn a_histogram_from_elsewhere_is_found() {
    let mut report = sound();
    report["cells"][0]["rounds"][0]["latency"]["histogram"] =
        report["cells"][2]["rounds"][0]["latency"]["histogram"].clone();
    assert!(faults(report).iter().any(|fault| fault.contains("round 1: latency.p50_ns")));
    check_found("/cells/0/rounds/0/latency/histogram", json!("AAAA"), "the histogram cannot be read");
}

#[test]
fn counters_that_do_not_add_up_are_found() {
    check_found("/cells/0/rounds/0/expected", json!(9), "expected is 9, but 100 × 100 were due");
    check_found("/cells/0/rounds/0/lost", json!(3), "n 10000 and lost 3 are not expected 10000");
    check_found("/cells/0/rounds/0/n", json!(9_999), "latency holds 10000 values, but there were 9999 deliveries");
    check_found("/cells/0/rounds/0/messages", json!(99), "generator.lag holds 100 values, but there were 99 messages");
    check_found("/cells/0/rounds/0/damaged", json!(1), "damaged 1 count as lost, but lost is 0");
    check_found("/cells/0/rounds/0/recovery/cut", json!(5), "recovery.time holds 10 values");
    check_found("/cells/0/subscribers", json!(90), "but 100 × 90 were due");
    check_found("/cells/0/rate", json!(60.0), "messages is 100, but 120 were due");
    check_found("/cells/0/size_bytes", json!(1_000), "payload_bytes is 640000");
}

#[test]
fn timelines_that_do_not_fit_are_found() {
    check_found("/cells/0/rounds/0/timeline/n/3", json!(1), "it holds");
    check_found("/cells/0/rounds/0/timeline/max_ns/3", json!(9_000_000_000_u64), "its slowest is");
    check_found("/cells/0/rounds/0/timeline/p50_ns/3", Value::Null, "step 3: median and maximum are there if");
    check_found("/cells/0/rounds/0/timeline/p99_ns/3", json!(1_000_000), "step 3: fewer than 1,000");
    check_found("/cells/0/rounds/0/timeline/p50_ns", json!([]), "its columns are not equally long");
}

#[test]
fn summaries_that_do_not_follow_are_found() {
    check_found("/cells/0/summary/latency/p99_ns", json!(1), "summary.latency.p99_ns is 1");
    check_found("/cells/0/summary/latency_p50_ns/low", json!(1.0), "summary.latency_p50_ns.low is 1");
    check_found("/cells/0/summary/cpu_ns_per_delivery/value", json!(1.0), "summary.cpu_ns_per_delivery.value is 1");
    check_found("/cells/0/summary/bytes_per_delivery/value", json!(65.0), "summary.bytes_per_delivery.value is 65");
    check_found("/cells/0/summary/coverage", json!(0.99), "summary.coverage is 0.99");
    check_found("/cells/0/summary/totals/lost", json!(1), "summary.totals.lost is 1");
    check_found("/cells/0/rounds/0/server/cpu_ns", json!(1), "summary.cpu_ns_per_delivery.value is");
    check_found("/cells/0/rounds/0/bytes/down/framing_bytes", json!(1), "summary.bytes_per_delivery.value is");
    check_found("/cells/0/summary", Value::Null, "summary is missing");
}

#[test]
fn rounds_that_do_not_count_cannot_be_made_to_count() {
    check_found("/cells/1/rounds/1/validity/valid", json!(true), "it counts in spite of this: The generator used 97 %");
    check_found("/cells/1/rounds/1/validity", json!({"valid": true}), "the generator used 97 % of its core");
    check_found("/cells/1/rounds/1/validity/reasons", json!([]), "does not say why");
    check_found("/cells/1/summary/rounds", json!([1, 2, 3, 4, 5]), "it does not count, but it is in the summary");
    check_found(
        "/cells/0/rounds/0/validity",
        json!({"valid": false, "reasons": ["It was slow."]}),
        "summary.rounds is",
    );
}

#[test]
fn rounds_that_were_left_out_are_found() {
    let mut report = sound();
    report["cells"][0]["rounds"].as_array_mut().expect("rounds").remove(2);
    assert!(
        faults(report.clone()).iter().any(|fault| fault.contains("has the rounds [1, 2, 4, 5], but 5 were to be made"))
    );
    report["settings"]["rounds"] = json!(4);
    assert!(faults(report).iter().any(|fault| fault.contains("there are 5 orders for 4 rounds")));
}

#[test]
fn an_order_that_was_not_rotated_or_not_kept_is_found() {
    let mut report = sound();
    let first = report["settings"]["order"][0].clone();
    report["settings"]["order"].as_array_mut().expect("orders").fill(first);
    let found = faults(report);
    assert!(found.iter().any(|fault| fault.contains("3 cells in 5 rounds had only 1 orders")), "{found:#?}");
    check_found("/cells/0/rounds/0/place", json!(2), "it was not planned at place 2");
    check_found("/cells/0/rounds/0/started_s", json!(9.0), "it began after round 1");
    check_found("/settings/order/0/0", json!("another"), "the order of round 1 does not name each cell once");
}

#[test]
fn a_report_without_provenance_is_found() {
    check_found("/made/at", json!("yesterday"), "made.at is no time in UTC: yesterday");
    check_found("/made/command", json!([]), "made.command is empty");
    check_found("/made/took_s", json!(3.0), "but the whole run took 3 s");
    check_found("/machine/processor", json!(""), "machine.processor is empty");
    check_found("/machine/clock/resolution_ns", json!(0), "machine.clock.resolution_ns is zero");
    check_found("/targets", json!([]), "there is no target fallcast");
    check_found("/cells/1/id", json!("fallcast.websocket.100x50x64"), "is there twice");
}

#[test]
fn sentences_that_do_not_follow_are_found() {
    check_found("/findings/0/text", json!("WebSocket is best."), "this does not follow: WebSocket is best.");
    check_found("/findings", json!([]), "this is missing: Nothing was lost");
    check_found("/does_not_show", json!([]), "this is missing: Loopback is no network");
}

#[test]
fn another_version_may_say_it_in_other_words() {
    let mut report = sound();
    report["made"]["fallcast"] = json!("0.0.1");
    report["findings"][0]["text"] = json!("No message was lost.");
    assert_eq!(faults(report), Vec::<String>::new());
}

#[test]
fn what_is_no_report_is_refused_with_the_reason() {
    let refused = |text: &str| Verification::of(text).to_string();
    assert!(refused("hello").contains("it is not JSON"));
    assert!(refused("{}").contains("format is null"));
    let mut report = sound();
    report["version"] = json!(2);
    assert!(refused(&report.to_string()).contains("version is 2; this program reads 1"));
    let mut report = sound();
    report["cells"][0].as_object_mut().expect("a cell").remove("rate");
    assert!(refused(&report.to_string()).contains("missing field `rate`"));
    check_found("/machine", json!({"proud": true}), "unknown field `proud`");
    let mut report = sound();
    report["cells"][0]["rounds"][0]["latency"]["p42_ns"] = json!(1);
    assert!(faults(report).iter().any(|fault| fault.contains("fields that no report has")));
}

#[test]
fn ceilings_are_what_kept_the_bound() {
    let mut report = Plan::default().report();
    let step = |rate: f64, quantile_ns: u64, held: bool| json!({"rate": rate, "n": 100, "lost": 0, "quantile_ns": quantile_ns, "held": held, "validity": {"valid": true}});
    let ceiling = |rate: Value, held: bool| {
        json!({"target": "fallcast", "transport": "sse", "subscribers": 100, "size_bytes": 64, "quantile": 0.99,
            "bound_ns": 50_000_000, "rate": rate, "steps": [step(100.0, 1_000_000, true), step(200.0, 60_000_000, held)]})
    };
    let mut with = |ceiling: Value| {
        report.ceilings = vec![serde_json::from_value(ceiling).expect("a ceiling")];
        report.complete();
        faults(serde_json::to_value::<&Report>(&report).expect("JSON"))
    };
    assert_eq!(with(ceiling(json!(100.0), false)), Vec::<String>::new());
    assert!(with(ceiling(json!(200.0), false))[0].contains("the highest that held is Some(100.0)"));
    assert!(with(ceiling(json!(200.0), true))[0].contains("held is true, but its figures say false"));
}
