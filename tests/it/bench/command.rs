//! `fallcast bench`: what it measures is in its report, and what it cannot measure it says.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use fallcast::bench::{report::Report, verify::Verification};

use crate::harness::{
    TestServer,
    process::{Ended, Running, run},
};

/// A place for a report, which is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("fallcast-bench-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the path is text")
    }

    /// The report in it, which has to be sound.
    fn report(&self) -> Report {
        let text = fs::read_to_string(self.0.join("report.json")).expect("there is a report");
        read(&text)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn read(text: &str) -> Report {
    let verification = Verification::of(text);
    assert!(verification.is_sound(), "{:#?}", verification.checks);
    serde_json::from_str(text).expect("it is a report")
}

/// As short as a run can be: what is short says little about speed, and the same about everything else.
const SHORT: [&str; 9] =
    ["bench", "--subscribers", "3", "--warm-up", "100ms", "--duration", "400ms", "--no-pin", "--no-recovery"];

async fn bench(options: &[&str]) -> Ended {
    run(&[&SHORT[..], options].concat(), b"").await
}

#[track_caller]
fn check_success(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{:?}", ended.notices);
}

#[tokio::test]
async fn a_run_leaves_a_report_that_passes_its_own_verification() {
    let folder = Folder::new("whole");
    let options = ["--rounds", "2", "--transports", "websocket,sse,long-poll,stream,short-poll=50ms"];
    let words = ["--question", "Which is fastest?", "--prediction", "None", "--out", folder.path()];

    let ended = bench(&[&options[..], &words].concat()).await;

    check_success(&ended);
    let report = folder.report();
    assert_eq!(report.question.as_deref(), Some("Which is fastest?"));
    assert_eq!(report.prediction.as_deref(), Some("None"));
    let names: Vec<&str> = report.cells.iter().map(|cell| cell.transport.as_str()).collect();
    assert_eq!(names, ["websocket", "sse", "long-poll", "stream", "short-poll=50ms"]);
    assert_ne!(report.settings.order[0], report.settings.order[1], "the cells take turns");
    for round in report.cells.iter().flat_map(|cell| &cell.rounds) {
        assert_eq!((round.messages, round.expected, round.n, round.lost), (20, 60, 60, 0));
        assert_eq!(round.first_message.figures.n, 3);
    }
    assert!(folder.0.join("report.html").exists());
    assert!(ended.output.iter().any(|line| line.contains("report.html")), "{:?}", ended.output);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn on_linux_the_kernel_tells_costs_and_packets() {
    let ended = bench(&["--rounds", "1", "--transports", "sse", "--json", "--quiet"]).await;
    check_success(&ended);
    let report = read(&ended.output.join("\n"));
    let round = &report.cells[0].rounds[0];
    let server = round.server.expect("the server's costs");
    assert!(server.cpu_ns.is_some_and(|cpu_ns| cpu_ns > 0));
    let memory = server.memory.expect("its memory");
    assert!(memory.with_bytes > 0 && memory.without_bytes > 0);
    let packets = round.packets.expect("packets");
    assert!(packets.down > 0 && packets.up > 0, "{packets:?}");
}

#[tokio::test]
async fn with_json_the_report_goes_to_standard_output_and_nowhere_else() {
    let ended = bench(&["--rounds", "1", "--transports", "stream", "--json", "--quiet"]).await;
    check_success(&ended);
    let report = read(&ended.output.join("\n"));
    assert_eq!(report.cells.len(), 1);
    assert_eq!(ended.notices, [""; 0], "nothing is said on the side");
    assert!(!Path::new("report.json").exists());
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_not_written_over() {
    let folder = Folder::new("full");
    fs::create_dir_all(&folder.0).expect("a folder");
    fs::write(folder.0.join("thesis.txt"), "mine").expect("a file");

    let ended = bench(&["--out", folder.path()]).await;

    assert_eq!(ended.code, Some(1));
    assert!(ended.notices.iter().any(|line| line.contains("there already")), "{:?}", ended.notices);
}

#[tokio::test]
async fn a_run_that_is_interrupted_reports_what_is_complete() {
    let folder = Folder::new("interrupted");
    let options = ["--rounds", "500", "--transports", "sse,stream", "--out", folder.path()];
    let mut running = Running::start(&[&SHORT[..], &options].concat());
    running.notice("round 1 of 500").await;
    running.notice("round 2 of 500").await;

    running.interrupt();

    check_success(&running.end().await);
    let report = folder.report();
    assert!(report.made.interrupted);
    let rounds: usize = report.cells.iter().map(|cell| cell.rounds.len()).sum();
    assert!((2..1000).contains(&rounds), "{rounds}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_frozen_server_is_seen_by_every_message_that_was_due_meanwhile() {
    let whole = ["bench", "--subscribers", "3", "--rate", "100", "--duration", "1500ms", "--freeze", "600ms"];
    let options = ["--rounds", "1", "--transports", "websocket", "--warm-up", "100ms", "--no-pin", "--json", "--quiet"];
    let ended = run(&[&whole[..], &options].concat(), b"").await;
    check_success(&ended);
    let report = read(&ended.output.join("\n"));
    let round = &report.cells[0].rounds[0];
    assert_eq!((round.messages, round.lost, round.reordered), (150, 0, 0));
    assert_eq!(round.freeze.map(|freeze| (freeze.at_ms, freeze.for_ms)), Some((450, 600)));
    // Sixty messages were due while the server stood still, and a third of them in its first third.
    let latency = round.latency.decode().expect("a histogram");
    let slow = latency.len() - latency.count_between(0, 399_000_000);
    assert!(slow >= 15 * 3, "only {slow} deliveries took 400 ms or longer");
}

#[tokio::test]
async fn a_closed_loop_is_marked_as_one() {
    let ended = bench(&["--rounds", "1", "--transports", "sse", "--loop", "closed", "--json", "--quiet"]).await;
    check_success(&ended);
    let report = read(&ended.output.join("\n"));
    assert_eq!(report.settings.loop_, fallcast::bench::report::Loop::Closed);
    assert!(report.cells[0].rounds[0].n > 0);
    assert!(!report.does_not_show.is_empty());
}

#[tokio::test]
async fn a_link_of_the_lab_lies_between_subscribers_and_server() {
    let options = ["--rounds", "1", "--transports", "sse", "--via", "direct,lab:40ms", "--json", "--quiet"];
    let ended = bench(&options).await;
    check_success(&ended);
    let report = read(&ended.output.join("\n"));
    let [direct, slow] = &report.cells[..] else { panic!("two cells") };
    assert_eq!((direct.via.as_deref(), slow.via.as_deref()), (None, Some("lab:40ms")));
    let round = &slow.rounds[0];
    assert_eq!((round.n, round.lost), (60, 0));
    assert!(round.latency.figures.min_ns.is_some_and(|least_ns| least_ns >= 40_000_000), "{:?}", round.latency.figures);
    assert!(round.server.is_none(), "the lab's share of the process is not the server's");
}

#[tokio::test]
async fn a_bound_that_no_rate_holds_has_no_highest_rate() {
    let options = ["--find-rate", "p50<1ns", "--rate", "8", "--transports", "stream", "--json", "--quiet"];
    let ended = bench(&options).await;
    check_success(&ended);
    let report = read(&ended.output.join("\n"));
    let [ceiling] = &report.ceilings[..] else { panic!("one search") };
    assert_eq!(ceiling.rate, None);
    let rates: Vec<f64> = ceiling.steps.iter().map(|step| step.rate).collect();
    assert_eq!(rates, [8.0, 4.0, 2.0, 1.0]);
}

#[tokio::test]
async fn a_server_that_runs_already_is_measured_by_its_address() {
    let server = TestServer::spawn(&[]);
    let target = format!("room=fallcast@{}", server.origin());
    let options = ["--rounds", "1", "--transports", "long-poll", "--publish", "websocket", "--target", &target];

    let ended = bench(&[&options[..], &["--json", "--quiet"]].concat()).await;

    check_success(&ended);
    let report = read(&ended.output.join("\n"));
    let target = &report.targets[0];
    assert_eq!((target.name.as_str(), target.own), ("room", false));
    assert_eq!(target.templates["publish"], format!("POST {}/channels/{{channel}}", server.origin()));
    let round = &report.cells[0].rounds[0];
    assert_eq!((round.n, round.lost), (60, 0));
    assert!(round.server.is_none(), "nobody said which process it is");
}

#[tokio::test]
async fn what_cannot_be_measured_is_told_with_the_remedy() {
    for (options, part) in [
        (&["--target", "fallcast=http://127.0.0.1:1"][..], "is the server running there?"),
        (&["--target", "nowhere"], "NAME=URL"),
        (&["--target", "nchan=http://127.0.0.1:1", "--transports", "stream"], "has no stream"),
        (&["--target", "nchan=http://127.0.0.1:1", "--freeze", "100ms"], "own server only"),
        (&["--size", "10"], "34 to"),
        (&["--transports", "pigeon"], "long-poll"),
        (&["--via", "lab:mars"], "lab:mobile-3g"),
        (&["--find-rate", "fast"], "p99<50ms"),
        (&["--server-args", "--no-such-option"], "the own server did not start"),
        (&["--header", "Cookie"], "Cookie: session=1"),
    ] {
        let ended = bench(&[options, &["--json", "--quiet"]].concat()).await;
        assert_ne!(ended.code, Some(0), "{options:?}");
        assert!(ended.notices.iter().any(|line| line.contains(part)), "{options:?}: {:?}", ended.notices);
    }
}
