//! The pipe: one direction of a line that takes its time. Latency, jitter and bandwidth are here.
//!
//! Bytes enter in pieces. A piece waits until the line is free, is sent at the line's bandwidth, and is then under way
//! for the latency; it never overtakes another. On a healthy line it arrives at the very moment at which it enters.
//!
//! ```text
//!   enters         free           sent                    arrives
//!     |---- waits ---|-- bandwidth --|-- latency + jitter ----|
//! ```

use std::{collections::VecDeque, io::IoSlice, mem, time::Duration};

use bytes::Bytes;
use fastrand::Rng;
use tokio::time::Instant;

use super::Ending;
use crate::lab::faults::{Both, Faults};

/// How many bytes are under way at most. Then the sender waits, as it does for TCP's window.
const MAX_UNDER_WAY: usize = 256 * 1024;

/// How long bytes wait for a line that is busy. Then the sender waits: a queue without end in front of a slow line is
/// what real routers are scolded for.
const MAX_WAIT: Duration = Duration::from_millis(500);

/// How long a slow line takes for one piece. Larger ones are split, so that bytes trickle in place of coming in lumps.
const PIECES_A_SECOND: u64 = 20;

/// The largest piece on a line with a bandwidth.
const MAX_PIECE: u64 = 16 * 1024;

/// For how many pieces ahead it is known when they arrive. What comes behind them is not split yet: on a slow line, most
/// pieces would be larger than their bytes.
const PLANNED: usize = 64;

/// The largest bytes that are copied if they have to wait. Otherwise they would keep the whole block alive into which
/// they were read.
const MAX_COPIED: usize = 4 * 1024;

/// What a line is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// How long a piece is under way.
    pub latency: Duration,
    /// How much longer than that it may be.
    pub jitter: Duration,
    /// How many bytes a second it takes.
    pub bandwidth: Option<u64>,
}

impl Shape {
    /// The line from the client to the server.
    #[must_use]
    pub fn up(faults: &Faults) -> Self {
        Self::of(faults, |both| both.up)
    }

    /// The line from the server to the client.
    #[must_use]
    pub fn down(faults: &Faults) -> Self {
        Self::of(faults, |both| both.down)
    }

    fn of(faults: &Faults, direction: impl Fn(Both<u64>) -> Option<u64>) -> Self {
        let time = |both: Option<Both<u64>>| Duration::from_millis(both.and_then(&direction).unwrap_or(0));
        Self {
            latency: time(faults.latency_ms),
            jitter: time(faults.jitter_ms),
            bandwidth: faults.bandwidth.and_then(&direction),
        }
    }

    /// How many bytes make a piece.
    fn piece(&self) -> usize {
        let most = self.bandwidth.map(|bandwidth| (bandwidth / PIECES_A_SECOND).clamp(1, MAX_PIECE));
        most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
    }

    /// How many bytes are sent in so much time: at least a piece, unless there is no time at all.
    fn sent_within(&self, time: Duration) -> usize {
        match self.bandwidth {
            Some(_) if time.is_zero() => 0,
            Some(bandwidth) => {
                let bytes = u128::from(bandwidth) * time.as_nanos() / 1_000_000_000;
                usize::try_from(bytes).unwrap_or(usize::MAX).max(self.piece())
            }
            None => usize::MAX,
        }
    }

    /// How long the line is busy with so many bytes.
    fn busy_for(&self, bytes: usize) -> Duration {
        let Some(bandwidth) = self.bandwidth else { return Duration::ZERO };
        let nanoseconds = bytes as u128 * 1_000_000_000 / u128::from(bandwidth.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

/// What travels through a pipe.
#[derive(Debug)]
enum Cargo {
    Bytes(Bytes),
    /// The end, behind all bytes.
    End(Ending),
}

impl Cargo {
    const fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::End(_) => 0,
        }
    }

    /// Splits off what comes behind so many bytes.
    fn split_off(&mut self, at: usize) -> Option<Self> {
        match self {
            Self::Bytes(bytes) if bytes.len() > at => Some(Self::Bytes(bytes.split_off(at))),
            Self::Bytes(_) | Self::End(_) => None,
        }
    }
}

/// What has entered and was not split yet.
#[derive(Debug)]
struct Load {
    cargo: Cargo,
    entered: Instant,
    /// When the line begins to send it.
    begins: Instant,
}

/// A piece, of which it is known when it arrives.
#[derive(Debug)]
struct Piece {
    cargo: Cargo,
    entered: Instant,
    arrives: Instant,
}

/// One direction of a line.
#[derive(Debug)]
pub struct Pipe {
    shape: Shape,
    dice: Rng,
    /// The pieces that arrive next.
    planned: VecDeque<Piece>,
    /// What comes behind them.
    waiting: VecDeque<Load>,
    bytes: usize,
    /// Nothing is sent before.
    opens: Option<Instant>,
    /// When the line has sent all that has entered.
    free: Option<Instant>,
    /// When the last planned piece arrives, which none overtakes.
    last: Option<Instant>,
}

impl Pipe {
    /// Returns a pipe of a shape.
    #[must_use]
    pub fn new(shape: Shape, dice: Rng) -> Self {
        let (planned, waiting) = (VecDeque::new(), VecDeque::new());
        Self { shape, dice, planned, waiting, bytes: 0, opens: None, free: None, last: None }
    }

    /// Lets nothing through before a moment.
    pub fn open_at(&mut self, moment: Instant) {
        self.opens = Some(moment);
    }

    /// Makes the line another one, also for what is under way: on a line that has become faster it arrives sooner.
    pub fn reshape(&mut self, shape: Shape, dice: Rng) {
        (self.shape, self.dice) = (shape, dice);
        (self.opens, self.free, self.last) = (None, None, None);
        self.bytes = 0;
        let (planned, waiting) = (mem::take(&mut self.planned), mem::take(&mut self.waiting));
        let planned = planned.into_iter().map(|piece| (piece.cargo, piece.entered));
        let waiting = waiting.into_iter().map(|load| (load.cargo, load.entered));
        for (cargo, entered) in planned.chain(waiting) {
            self.enter(cargo, entered);
        }
    }

    /// Sends bytes.
    pub fn push(&mut self, bytes: Bytes, now: Instant) {
        if !bytes.is_empty() {
            let waits = !self.is_empty() || self.shape != Shape::default();
            let bytes = if waits && bytes.len() <= MAX_COPIED { Bytes::copy_from_slice(&bytes) } else { bytes };
            self.enter(Cargo::Bytes(bytes), now);
        }
    }

    /// Sends the end.
    pub fn end(&mut self, ending: Ending, now: Instant) {
        self.enter(Cargo::End(ending), now);
    }

    /// The bytes that have arrived and were not taken yet, as far as there is room for their slices. Returns how many
    /// slices there are.
    pub fn arrived<'p>(&'p self, now: Instant, slices: &mut [IoSlice<'p>]) -> usize {
        let bytes = self.planned.iter().map_while(|piece| match &piece.cargo {
            Cargo::Bytes(bytes) if piece.arrives <= now => Some(bytes),
            Cargo::Bytes(_) | Cargo::End(_) => None,
        });
        slices.iter_mut().zip(bytes).map(|(slice, bytes)| *slice = IoSlice::new(bytes)).count()
    }

    /// Takes so many bytes of those that have arrived, and shows them once more.
    pub fn take(&mut self, mut count: usize, mut show: impl FnMut(&[u8])) {
        while count > 0
            && let Some(Cargo::Bytes(bytes)) = self.planned.front_mut().map(|piece| &mut piece.cargo)
        {
            let taken = bytes.split_to(count.min(bytes.len()));
            show(&taken);
            count -= taken.len();
            self.bytes -= taken.len();
            if bytes.is_empty() {
                self.planned.pop_front();
                self.plan();
            }
        }
    }

    /// Takes the end, if it has arrived and all bytes before it were taken.
    pub fn take_end(&mut self, now: Instant) -> Option<Ending> {
        let Piece { cargo: Cargo::End(ending), arrives, .. } = *self.planned.front()? else { return None };
        (arrives <= now).then(|| {
            self.planned.pop_front();
            self.plan();
            ending
        })
    }

    /// Loses all that is under way.
    pub fn clear(&mut self) {
        self.planned.clear();
        self.waiting.clear();
        self.bytes = 0;
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // As long as something waits, something is planned.
        self.planned.is_empty()
    }

    /// How many bytes may enter now.
    #[must_use]
    pub fn room(&self, now: Instant) -> usize {
        MAX_UNDER_WAY.saturating_sub(self.memory()).min(self.shape.sent_within(self.time_left(now)))
    }

    /// How much memory takes what is under way. For single bytes it is much more than they are.
    fn memory(&self) -> usize {
        self.bytes + self.planned.len() * size_of::<Piece>() + self.waiting.len() * size_of::<Load>()
    }

    /// For how long the line may be given work until its queue is full.
    fn time_left(&self, now: Instant) -> Duration {
        let waits = self.free.map_or(Duration::ZERO, |free| free.saturating_duration_since(now));
        MAX_WAIT.saturating_sub(waits)
    }

    /// When to look again: when the next piece arrives, or when there is room once more. What has arrived already does
    /// not count; it waits for somebody to take it.
    #[must_use]
    pub fn wakes(&self, now: Instant) -> Option<Instant> {
        let arrives = self.planned.front().map(|piece| piece.arrives).filter(|&arrives| arrives > now);
        let has_room = self.free.filter(|_| self.time_left(now).is_zero()).map(|free| free - MAX_WAIT / 2);
        arrives.into_iter().chain(has_room).min()
    }

    fn enter(&mut self, cargo: Cargo, entered: Instant) {
        let begins = [self.opens, self.free].into_iter().flatten().fold(entered, Instant::max);
        if self.shape.bandwidth.is_some() {
            self.free = Some(begins + self.shape.busy_for(cargo.size()));
        }
        self.bytes += cargo.size();
        self.waiting.push_back(Load { cargo, entered, begins });
        self.plan();
    }

    /// Splits what waits, until enough pieces are planned.
    fn plan(&mut self) {
        while self.planned.len() < PLANNED
            && let Some(piece) = self.next_piece()
        {
            self.planned.push_back(piece);
        }
    }

    /// Takes a piece off what waits.
    fn next_piece(&mut self) -> Option<Piece> {
        let Load { mut cargo, entered, begins } = self.waiting.pop_front()?;
        let rest = cargo.split_off(self.shape.piece());
        let sent = begins + self.shape.busy_for(cargo.size());
        if let Some(cargo) = rest {
            self.waiting.push_front(Load { cargo, entered, begins: sent });
        }
        let arrives = sent + self.shape.latency + self.draw_jitter();
        let arrives = self.last.map_or(arrives, |last| arrives.max(last));
        self.last = Some(arrives);
        Some(Piece { cargo, entered, arrives })
    }

    fn draw_jitter(&mut self) -> Duration {
        match self.shape.jitter {
            Duration::ZERO => Duration::ZERO,
            most => most.mul_f64(self.dice.f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pipe(latency: u32, jitter: u32, bandwidth: Option<u64>) -> Pipe {
        Pipe::new(Shape { latency: MS * latency, jitter: MS * jitter, bandwidth }, Rng::with_seed(1))
    }

    /// Takes everything, each piece when it arrives.
    fn drain(pipe: &mut Pipe, began: Instant) -> Vec<(Duration, Vec<u8>)> {
        let mut arrived = Vec::new();
        while let Some(arrives) = pipe.planned.front().map(|piece| piece.arrives) {
            arrived.push((arrives - began, taken(pipe, arrives, 1)));
        }
        arrived
    }

    /// What can be taken at a moment, of so many pieces.
    fn taken(pipe: &mut Pipe, now: Instant, pieces: usize) -> Vec<u8> {
        let mut slices = vec![IoSlice::new(&[]); pieces];
        let count = pipe.arrived(now, &mut slices);
        let size = slices[..count].iter().map(|slice| slice.len()).sum();
        let mut taken = Vec::new();
        pipe.take(size, |bytes| taken.extend_from_slice(bytes));
        taken
    }

    #[test]
    fn a_healthy_line_takes_no_time() {
        let (mut pipe, now) = (pipe(0, 0, None), Instant::now());
        pipe.push(Bytes::from_static(b"abc"), now);
        pipe.push(Bytes::from_static(b"def"), now);
        pipe.end(Ending::Fin, now);
        assert_eq!(pipe.take_end(now), None, "bytes come first");
        assert_eq!(taken(&mut pipe, now, 9), b"abcdef");
        assert_eq!(pipe.take_end(now), Some(Ending::Fin));
        assert!(pipe.is_empty() && pipe.wakes(now).is_none());
    }

    #[test]
    fn bytes_may_be_taken_in_any_portions() {
        let (mut pipe, now) = (pipe(0, 0, None), Instant::now());
        for piece in ["abc", "def", "ghi"] {
            pipe.push(Bytes::from_static(piece.as_bytes()), now);
        }
        let mut portions = Vec::new();
        for size in [2, 4, 3] {
            let mut portion = String::new();
            pipe.take(size, |bytes| portion.push_str(&String::from_utf8_lossy(bytes)));
            portions.push(portion);
        }
        assert_eq!(portions, ["ab", "cdef", "ghi"]);
        assert_eq!((pipe.bytes, pipe.is_empty()), (0, true));
    }

    #[test]
    fn latency_delays_every_piece_and_lets_many_be_under_way() {
        let (mut pipe, began) = (pipe(100, 0, None), Instant::now());
        pipe.push(Bytes::from_static(b"a"), began);
        pipe.push(Bytes::from_static(b"b"), began + 10 * MS);
        assert_eq!(taken(&mut pipe, began + 99 * MS, 9), b"");
        assert_eq!(drain(&mut pipe, began), [(100 * MS, b"a".to_vec()), (110 * MS, b"b".to_vec())]);
    }

    #[test]
    fn a_line_with_a_bandwidth_sends_one_piece_after_the_other() {
        let (mut pipe, began) = (pipe(5, 0, Some(1000)), Instant::now());
        pipe.push(Bytes::from(vec![7; 120]), began);
        let arrived = drain(&mut pipe, began);
        assert_eq!(
            arrived.iter().map(|(at, bytes)| (at.as_millis(), bytes.len())).collect::<Vec<_>>(),
            [(55, 50), (105, 50), (125, 20)]
        );
    }

    #[test]
    fn who_sends_more_than_the_line_takes_has_to_wait() {
        let (mut pipe, began) = (pipe(10_000, 0, Some(1000)), Instant::now());
        pipe.push(Bytes::from(vec![7; 600]), began);
        assert_eq!(pipe.room(began), 0);
        let wakes = pipe.wakes(began).expect("there will be room");
        assert_eq!(wakes - began, 350 * MS, "long before the first byte arrives, and not for each single byte");
        assert_eq!(pipe.room(wakes), 250);
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let (mut pipe, now) = (pipe(10_000, 0, None), Instant::now());
        pipe.push(Bytes::from(vec![7; MAX_UNDER_WAY]), now);
        assert_eq!(pipe.room(now), 0);
        pipe.take(MAX_UNDER_WAY, |_| {});
        assert_eq!(pipe.room(now), MAX_UNDER_WAY);
    }

    #[test]
    fn however_slow_the_line_little_is_kept_beside_the_bytes() {
        let (mut pipe, now) = (pipe(10, 10, Some(1)), Instant::now());
        let bytes = Bytes::from(vec![7; 800 * 1024]);
        pipe.push(bytes.clone(), now);
        assert_eq!((pipe.planned.len(), pipe.waiting.len()), (PLANNED, 1));
        assert_eq!(pipe.waiting[0].cargo.size(), bytes.len() - PLANNED);

        pipe.reshape(Shape::default(), Rng::with_seed(1));
        let size = taken(&mut pipe, now, PLANNED).len() + taken(&mut pipe, now, 1).len();
        assert_eq!((size, pipe.is_empty()), (bytes.len(), true));
    }

    #[test]
    fn bytes_that_have_to_wait_do_not_keep_their_block_alive() {
        let block = Bytes::from(vec![7; 8 * 1024]);
        for (line, may_stay) in [(pipe(0, 0, None), true), (pipe(10, 0, None), false)] {
            let (mut pipe, now) = (line, Instant::now());
            pipe.push(block.slice(..9), now);
            pipe.push(block.slice(9..19), now);
            let at = |pipe: &Pipe, index: usize| match &pipe.planned[index].cargo {
                Cargo::Bytes(bytes) => bytes.as_ptr(),
                Cargo::End(_) => panic!("there is no end"),
            };
            assert_eq!(at(&pipe, 0) == block.as_ptr(), may_stay, "the first goes at once on a healthy line");
            assert_ne!(at(&pipe, 1), block[9..].as_ptr());
            assert_eq!(taken(&mut pipe, now + 10 * MS, 2), block[..19]);
        }
    }

    #[test]
    fn single_bytes_count_for_the_memory_that_they_take() {
        let (mut pipe, now) = (pipe(10_000, 0, None), Instant::now());
        while pipe.room(now) > 0 {
            pipe.push(Bytes::from_static(b"a"), now);
        }
        assert!(pipe.bytes < MAX_UNDER_WAY / 50, "{}", pipe.bytes);
        assert!(pipe.memory() < MAX_UNDER_WAY + 1024);
    }

    #[test]
    fn healing_lets_everything_arrive_at_once_and_in_order() {
        let (mut pipe, now) = (pipe(10_000, 50, Some(100)), Instant::now());
        pipe.open_at(now + 1000 * MS);
        pipe.push(Bytes::from_static(b"abcdefghijkl"), now);
        pipe.end(Ending::Complete, now);
        pipe.reshape(Shape::default(), Rng::with_seed(1));
        assert_eq!(taken(&mut pipe, now, 99), b"abcdefghijkl");
        assert_eq!(pipe.take_end(now), Some(Ending::Complete));
    }

    #[test]
    fn nothing_is_sent_before_the_line_opens() {
        let (mut pipe, began) = (pipe(10, 0, None), Instant::now());
        pipe.open_at(began + 30 * MS);
        pipe.push(Bytes::from_static(b"a"), began);
        assert_eq!(drain(&mut pipe, began), [(40 * MS, b"a".to_vec())]);
    }

    #[test]
    fn the_same_dice_give_the_same_jitter() {
        let arrivals = || {
            let (mut pipe, began) = (pipe(10, 1000, None), Instant::now());
            (0..20).for_each(|index| pipe.push(Bytes::from(vec![index]), began + 100 * MS * u32::from(index)));
            drain(&mut pipe, began)
        };
        let first = arrivals();
        assert_eq!(first, arrivals());
        assert!(first.windows(2).any(|pair| pair[1].0 != pair[0].0 + 100 * MS), "there is jitter: {first:?}");
    }

    proptest! {
        #[test]
        fn bytes_arrive_complete_in_order_and_never_too_early(
            pieces in proptest::collection::vec((0..200_u32, 1..300_usize), 1..40),
            latency in 0..500_u32,
            jitter in 0..500_u32,
            bandwidth in proptest::option::of(1..100_000_u64),
        ) {
            let (mut pipe, began) = (pipe(latency, jitter, bandwidth), Instant::now());
            let (mut now, mut sent) = (began, Vec::new());
            for (pause, size) in pieces {
                now += MS * pause;
                let bytes: Vec<u8> = (0..size).map(|index| (sent.len() + index).to_le_bytes()[0]).collect();
                sent.extend_from_slice(&bytes);
                pipe.push(Bytes::from(bytes), now);
            }
            let arrived = drain(&mut pipe, began);
            prop_assert!(arrived.is_sorted_by_key(|(at, _)| *at));
            prop_assert!(arrived[0].0 >= MS * latency);
            prop_assert_eq!(arrived.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<_>>(), sent);
            prop_assert_eq!(pipe.bytes, 0);
        }
    }
}
