//! The server under test, and what is the same for all checks: the seed, patience, fresh channels.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashSet},
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{profile::Profile, transport::Transport};
use crate::origin::Origin;

/// A wait ends after this part of a check's time limit: so a check can fail at one property and go on to the next.
const WAITS_PER_LIMIT: u32 = 3;

/// Runs that begin within so many milliseconds of each other, which are sixteen hours, have names of their own.
const RUNS: u128 = 36_u128.pow(5);

/// What is asked of a run, beside what to check.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Decides whatever is left to chance.
    pub seed: u64,
    /// How long one check may take on one transport.
    pub time_limit: Duration,
    /// The transports to look at; empty is all that the profile describes.
    pub transports: Vec<Transport>,
    /// Further fields of every request, as lines: `Authorization: Bearer …`.
    pub headers: Vec<String>,
    /// Properties that are not to be judged, by their ids.
    pub skip: Vec<String>,
    /// The server's process, if its memory and descriptors are to be looked at.
    pub pid: Option<u32>,
    /// The bound of the latency that the check `budget` asks for.
    pub p99: Duration,
}

/// The server under test. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Where it is.
    pub origin: Origin,
    /// What it has.
    pub profile: Rc<Profile>,
    /// What is asked of the run.
    pub settings: Rc<Settings>,
    /// Differs from run to run, so that channels are new ones.
    run: Rc<str>,
    memory: Rc<Memory>,
}

/// What a run has seen and done so far.
#[derive(Debug, Default)]
struct Memory {
    channels: Cell<u32>,
    messages: Rc<Cell<u32>>,
    silent: RefCell<BTreeSet<Transport>>,
    cannot_publish: Cell<bool>,
}

/// A channel that nobody has used before, as far as addresses have room for its name.
#[derive(Debug)]
pub struct Channel {
    /// Its name, of small letters and digits.
    pub name: String,
    /// Whether addresses have no place for its name, so that all channels are one.
    pub is_shared: bool,
    prefix: String,
    /// The last number that was given out, here or on all channels that are one.
    last: Rc<Cell<u32>>,
    /// The numbers that were given out here.
    own: RefCell<HashSet<u32>>,
}

impl Subject {
    /// A server at `origin` that is described by `profile`.
    #[must_use]
    pub fn new(origin: Origin, profile: Profile, settings: Settings) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = in_base_36(now.as_millis() % RUNS).into();
        Self { origin, profile: Rc::new(profile), settings: Rc::new(settings), run, memory: Rc::default() }
    }

    /// The transports to look at: those that the profile describes, and of them those that were asked for.
    #[must_use]
    pub fn transports(&self) -> Vec<Transport> {
        let asked_for = &self.settings.transports;
        let is_wanted = |transport: &Transport| asked_for.is_empty() || asked_for.contains(transport);
        self.profile.transports().into_iter().filter(is_wanted).collect()
    }

    /// How long to wait for something that should come at once: long, since the machine may be busy. Only what fails
    /// takes so long.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.settings.time_limit / WAITS_PER_LIMIT
    }

    /// A channel of its own. Where addresses have no place for a channel, all share one, and messages are told apart by
    /// their numbers.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.memory.channels.set(self.memory.channels.get() + 1);
        let name = format!("check{}c{}", self.run, self.memory.channels.get());
        let is_shared = !self.profile.has_channels();
        let (prefix, last) = if is_shared {
            (format!("check-{}-", self.run), Rc::clone(&self.memory.messages))
        } else {
            ("check-".to_owned(), Rc::default())
        };
        Channel { name, is_shared, prefix, last, own: RefCell::default() }
    }

    /// Whether it was seen that nothing can be published.
    #[must_use]
    pub fn cannot_publish(&self) -> bool {
        self.memory.cannot_publish.get()
    }

    /// Remembers that nothing can be published, so that nobody tries again.
    pub fn give_up_publishing(&self) {
        self.memory.cannot_publish.set(true);
    }

    /// Whether a subscription over this transport was seen to begin with silence, where a greeting was expected.
    #[must_use]
    pub fn begins_silently(&self, transport: Transport) -> bool {
        self.memory.silent.borrow().contains(&transport)
    }

    /// Remembers that it does, so that nobody waits as long again.
    pub fn remember_silence(&self, transport: Transport) {
        self.memory.silent.borrow_mut().insert(transport);
    }
}

impl Channel {
    /// The next message: `check-1`, `check-2` and so on.
    #[must_use]
    pub fn message(&self) -> String {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.own.borrow_mut().insert(number);
        format!("{}{number}", self.prefix)
    }

    /// So many next messages.
    #[must_use]
    pub fn messages(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.message()).collect()
    }

    /// Whether a message is of another time, and is heard here because all channels are one.
    #[must_use]
    pub fn is_straggler(&self, data: &[u8]) -> bool {
        self.is_shared && !self.owns(data)
    }

    /// Whether a message was made by [`Channel::message`] of this channel, with or without something behind its number.
    /// What others say on a server without channels, or what it says by itself, is none of a check's business.
    #[must_use]
    pub fn owns(&self, data: &[u8]) -> bool {
        let Some(rest) = data.strip_prefix(self.prefix.as_bytes()) else { return false };
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number: Option<u32> = str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
        number.is_some_and(|number| self.own.borrow().contains(&number))
    }
}

fn in_base_36(mut number: u128) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        let digit = u32::try_from(number % 36).unwrap_or(0);
        digits.push(char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject_of(profile: &str) -> Subject {
        let origin = Origin { address: ([127, 0, 0, 1], 1).into(), host: "h".to_owned() };
        let settings = Settings {
            seed: 1,
            time_limit: Duration::from_secs(30),
            transports: vec![Transport::Sse, Transport::WebSocket],
            headers: Vec::new(),
            skip: Vec::new(),
            pid: None,
            p99: Duration::from_millis(250),
        };
        Subject::new(origin, Profile::load(profile, &[]).expect("a profile"), settings)
    }

    #[test]
    fn channels_are_new_ones_and_know_their_own_messages() {
        let subject = subject_of("fallcast");
        let (one, other) = (subject.channel(), subject.channel());
        assert_ne!(one.name, other.name);
        assert!(one.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        assert_eq!(one.messages(2), ["check-1", "check-2"]);
        assert!(one.owns(b"check-2") && one.owns(b"check-1: and more"));
        assert!(!one.owns(b"check-3") && !one.owns(b"hello") && !one.owns(b"check-"));
    }

    #[test]
    fn without_channels_numbers_tell_messages_apart() {
        let subject = subject_of("websocket");
        let (one, other) = (subject.channel(), subject.channel());
        let (of_one, of_other) = (one.message(), other.message());
        assert!(one.owns(of_one.as_bytes()) && !one.owns(of_other.as_bytes()));
        assert!(other.owns(of_other.as_bytes()) && !other.owns(of_one.as_bytes()));
        assert!(one.is_straggler(b"hello") && !subject_of("fallcast").channel().is_straggler(b"hello"));
    }

    #[test]
    fn only_what_was_asked_for_and_is_described_is_looked_at() {
        assert_eq!(subject_of("fallcast").transports(), [Transport::WebSocket, Transport::Sse]);
        assert_eq!(subject_of("mercure").transports(), [Transport::Sse]);
    }
}
