//! The table fault × check: each fault is found by the checks that it belongs to, and by no others.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    reference::{Fault, Limits, ReferenceServer},
    report::{OF_REFERENCE, Violations, check},
    table,
};

/// So many servers are checked at a time. Most of a run is waiting.
const AT_A_TIME: usize = 6;

/// All checks, one by one.
const CHECKS: [&str; 12] =
    ["echo", "fan-out", "resume", "drop", "slow-reader", "storm", "sse", "ws", "poll", "hop", "publish", "budget"];

/// How long a check may take. What fails waits for a third of it.
const TIME_LIMIT: [&str; 2] = ["--time-limit", "12s"];

/// Which checks find a fault.
const FOUND_BY: &[(Fault, &[&str])] = &[
    (Fault::HandOverLoses, &["hop", "resume"]),
    (Fault::ResumeRepeats, &["hop", "resume", "sse"]),
    (Fault::LastEventIdIgnored, &["sse"]),
    (Fault::ReplayDiffers, &["resume", "sse"]),
    (Fault::GapUntold, &["drop", "resume", "slow-reader"]),
    (Fault::EpochIgnored, &["resume"]),
    (Fault::OneSubscriberMisses, &["fan-out"]),
    (Fault::OrdersDiffer, &["fan-out"]),
    (Fault::PairsSwapped, &["hop", "resume", "sse"]),
    (Fault::TextIsLatin1, &["echo", "ws"]),
    (Fault::QueueGrows, &["slow-reader"]),
    (Fault::SlowReaderBlocks, &["slow-reader"]),
    (Fault::ConnectionsLeak, &["storm"]),
    (Fault::HandshakesQueue, &["storm"]),
    (Fault::HeartbeatMissing, &["sse"]),
    (Fault::Padding, &["budget"]),
    // Who is served so slowly falls behind a publisher that waits for nobody.
    (Fault::DeliveryWaits, &["budget", "slow-reader"]),
    (Fault::IdMissingOnReplay, &["resume", "sse"]),
    (Fault::NoIdBeforeFirstMessage, &["sse"]),
    (Fault::CarriageReturnInField, &["sse"]),
    (Fault::LineFeedInField, &["echo", "sse"]),
    (Fault::BlankLineMissing, &["sse"]),
    (Fault::EmptyDataDropped, &["echo"]),
    (Fault::RetryAlone, &["sse"]),
    (Fault::BufferingAllowed, &["sse"]),
    (Fault::EventsAreText, &["sse"]),
    // No event arrives in time, so whoever listens to an event stream hears nothing.
    (Fault::EventsBuffered, &["budget", "drop", "echo", "fan-out", "hop", "publish", "resume", "sse", "storm"]),
    (Fault::AcceptWrong, &["ws"]),
    (Fault::AnyVersion, &["ws"]),
    (Fault::TokensMatter, &["ws"]),
    (Fault::ExtensionUnasked, &["ws"]),
    (Fault::FramesMasked, &["ws"]),
    (Fault::LengthTooLong, &["ws"]),
    (Fault::UnmaskedAccepted, &["ws"]),
    (Fault::ReservedBitsIgnored, &["ws"]),
    (Fault::BrokenTextAccepted, &["ws"]),
    (Fault::FragmentsApart, &["ws"]),
    (Fault::TooBigWithoutCode, &["ws"]),
    (Fault::CloseCodeWrong, &["ws"]),
    (Fault::AnyCloseCode, &["ws"]),
    (Fault::LeftOpen, &["ws"]),
    (Fault::CloseUnanswered, &["ws"]),
    (Fault::PongMissing, &["ws"]),
    (Fault::PongEmpty, &["ws"]),
    (Fault::StartIsEnd, &["poll", "resume"]),
    (Fault::FirstPollWaits, &["poll", "resume"]),
    (Fault::BetweenPollsLost, &["fan-out", "hop", "poll", "resume"]),
    (Fault::HeldPollSleeps, &["budget"]),
    (Fault::OnePollerServed, &["fan-out", "poll", "resume"]),
    (Fault::PipelinedLost, &["poll"]),
    (Fault::AnswersMayBeStored, &["poll"]),
    (Fault::LinkStale, &["poll"]),
    (Fault::BadCursorSilent, &["poll", "resume"]),
    (Fault::CursorIsForeign, &["hop"]),
    (Fault::CursorOffByOne, &["hop"]),
    (Fault::DuplicateAppended, &["publish"]),
    (Fault::KeyTakesAnything, &["publish"]),
    (Fault::ForeignOriginPublishes, &["publish"]),
    (Fault::ForeignOriginConnects, &["ws"]),
    (Fault::ForeignOriginRefusedTooLate, &["publish"]),
    (Fault::AnySize, &["publish", "ws"]),
];

#[test]
fn each_fault_is_found_by_its_checks_and_by_no_other() {
    let found = found_of(&wanted());
    let wrong: Vec<String> = found.iter().filter_map(|(fault, found)| complaint(*fault, found)).collect();
    assert!(wrong.is_empty(), "{} of {} faults\n{}", wrong.len(), found.len(), wrong.join("\n"));
    if found.len() == Fault::ALL.len() {
        // Which of a check's properties a fault breaks first, chance decides.
        table::keep_but_for_last_cells("faults.md", &markdown(&found));
    }
}

/// All faults, or those that are named in the environment, for whoever works on one of them.
fn wanted() -> Vec<Fault> {
    let named = env::var("TEST_FAULTS").ok();
    let is_named =
        |fault: &Fault| named.as_ref().is_none_or(|named| named.split(',').any(|name| name == format!("{fault:?}")));
    Fault::ALL.iter().copied().filter(is_named).collect()
}

/// What is wrong about how a fault was found, if anything is.
fn complaint(fault: Fault, found: &Violations) -> Option<String> {
    let checks: BTreeSet<&str> = found.checks().collect();
    let known = FOUND_BY.iter().find(|(known, _)| *known == fault);
    let expected: BTreeSet<&str> = known.into_iter().flat_map(|(_, checks)| checks.iter().copied()).collect();
    let complaint = || {
        let seen = found.sentences.join("\n        ");
        format!("    {fault:?} is found by {checks:?}, and should be by {expected:?}:\n        {seen}")
    };
    (checks != expected || checks.is_empty()).then(complaint)
}

/// What is found of each of the faults.
fn found_of(faults: &[Fault]) -> BTreeMap<Fault, Violations> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(BTreeMap::new());
    let work = || {
        while let Some(&fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut violations = violations_of(fault);
            // What a busy machine makes of a fault once, it does not make of it twice.
            if complaint(fault, &violations).is_some() {
                violations = violations_of(fault);
            }
            found.lock().unwrap_or_else(PoisonError::into_inner).insert(fault, violations);
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Has each check look at a server of its own: of a fault that lasts, only the check would be seen that comes first.
fn violations_of(fault: Fault) -> Violations {
    let look = |name: &&str| {
        let server = ReferenceServer::start(Some(fault), Limits::default());
        let arguments = [[*name].as_slice(), OF_REFERENCE.as_slice(), TIME_LIMIT.as_slice()].concat();
        check(server.address(), &arguments).violations()
    };
    CHECKS.iter().map(look).fold(Violations::default(), Violations::and)
}

/// Faults down, and what finds them across.
fn markdown(found: &BTreeMap<Fault, Violations>) -> String {
    let mut rows = table::row(["the server's fault", "found by", "what is broken"]) + &table::row(["---"; 3]);
    for (fault, violations) in found {
        let checks: Vec<&str> =
            CHECKS.into_iter().filter(|name| violations.checks().any(|found| found == *name)).collect();
        rows += &table::row([fault.sentence(), &checks.join(", "), &table::code(&violations.properties)]);
    }
    rows
}
