//! What a hub promises. Each test is named by one promise, and says what it has seen instead.

use super::Log;

/// A log of three, to which so many messages were published: `message 1`, `message 2` …
fn log_of(messages: u64) -> Log {
    let mut log = Log::new(3);
    for number in 1..=messages {
        log.publish(&format!("message {number}"));
    }
    log
}

/// The numbers of what a subscriber at `position` gets.
fn numbers_after(log: &Log, position: u64) -> Option<Vec<u64>> {
    let messages = log.read_after(position)?;
    Some(messages.iter().map(|message| message.number).collect())
}

#[test]
fn numbers_are_dense_also_when_old_messages_are_forgotten() {
    let mut log = Log::new(3);
    let numbers: Vec<u64> = (1..=5).map(|_| log.publish("tea")).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5], "five messages were published to a log of three; these are their numbers");
}

#[test]
fn the_log_is_bounded_and_the_newest_stay() {
    let log = log_of(1000);
    assert_eq!((log.start(), log.head()), (997, 1000), "start and head of a log of three after 1000 messages");
}

#[test]
fn a_subscriber_gets_everything_after_its_position_in_order_and_nothing_else() {
    let log = log_of(3);
    for (position, expected) in [(0, vec![1, 2, 3]), (1, vec![2, 3]), (2, vec![3]), (3, vec![])] {
        let got = numbers_after(&log, position);
        assert_eq!(got, Some(expected), "who has seen everything up to {position} gets these numbers");
    }
}

#[test]
fn the_text_arrives_as_it_was_published() {
    let mut log = Log::new(3);
    log.publish("Tea is ready\r\n☕");
    let texts: Vec<String> =
        log.read_after(0).unwrap_or_default().iter().map(|message| message.text.to_string()).collect();
    assert_eq!(texts, ["Tea is ready\r\n☕"]);
}

#[test]
fn a_subscriber_that_reads_on_from_its_last_number_loses_and_repeats_nothing() {
    let mut log = Log::new(3);
    let (mut position, mut seen) = (0, Vec::new());
    for round in 1..=50_u64 {
        // One, two or three messages at a time: never more than the log keeps.
        for _ in 0..=round % 3 {
            log.publish("tea");
        }
        let Some(numbers) = numbers_after(&log, position) else {
            panic!("in round {round} the subscriber at {position} was told that it cannot go on");
        };
        position = numbers.last().copied().unwrap_or(position);
        seen.extend(numbers);
    }
    let all: Vec<u64> = (1..=log.head()).collect();
    assert_eq!(seen, all, "what a subscriber saw that was never more than three messages behind");
}

#[test]
fn who_has_missed_a_forgotten_message_is_told() {
    let log = log_of(5);
    assert_eq!(numbers_after(&log, 2), Some(vec![3, 4, 5]), "3 is still here, so a subscriber at 2 can go on");
    assert_eq!(numbers_after(&log, 1), None, "2 is forgotten, so a subscriber at 1 has to be told");
}

#[test]
fn who_claims_to_have_seen_what_has_never_been_is_told() {
    assert_eq!(numbers_after(&log_of(2), 3), None, "3 has not been published yet, so nobody has seen it");
}
