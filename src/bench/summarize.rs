//! Everything in a report that is computed from the rest of it.

use super::{
    checksum, findings,
    metric::{Metric, merged, total},
    report::{Bytes, Cell, Distribution, Figures, Report, Round, Summary, Totals},
    statistics,
};

impl Report {
    /// Computes everything that is computed: summaries, findings, what they do not show, and the checksum.
    pub fn complete(&mut self) {
        self.cells.iter_mut().for_each(Cell::summarize);
        self.findings = findings::of(self);
        self.does_not_show = findings::not_shown(self);
        self.checksum = checksum::of(self);
    }
}

impl Cell {
    /// Computes what the rounds say together.
    pub fn summarize(&mut self) {
        let all: Vec<&Round> = self.rounds.iter().collect();
        let summary = Summary::of(self, &self.valid_rounds().collect::<Vec<_>>());
        let doubtful = if summary.is_none() { Summary::of(self, &all) } else { None };
        (self.summary, self.doubtful) = (summary, doubtful);
    }

    /// The rounds that count.
    pub fn valid_rounds(&self) -> impl Iterator<Item = &Round> {
        self.rounds.iter().filter(|round| round.validity.valid)
    }

    /// Whether `other` had the same load: subscribers, rate, size and way.
    #[must_use]
    pub fn has_load_of(&self, other: &Cell) -> bool {
        let load = |cell: &Cell| (cell.subscribers, cell.rate.to_bits(), cell.size_bytes, cell.via.clone());
        load(self) == load(other)
    }
}

impl Summary {
    /// What these rounds of `cell` say together; nothing if there is none.
    #[must_use]
    pub fn of(cell: &Cell, rounds: &[&Round]) -> Option<Self> {
        let figures = |distribution: fn(&Round) -> &Distribution| {
            Figures::of(&merged(rounds.iter().map(|&round| distribution(round))))
        };
        let recoveries = rounds.iter().filter_map(|round| round.recovery.as_ref()).map(|recovery| &recovery.time);
        let recovery = Figures::of(&merged(recoveries));
        let estimate = |metric: Metric| metric.of_rounds(cell, rounds);
        (!rounds.is_empty()).then(|| Self {
            rounds: rounds.iter().map(|round| round.round).collect(),
            coverage: (rounds.len() > 1).then(|| statistics::coverage(rounds.len())),
            totals: Totals::of(rounds),
            latency: figures(|round| &round.latency),
            first_message: figures(|round| &round.first_message),
            skew: figures(|round| &round.skew),
            recovery: (recovery.n > 0).then_some(recovery),
            latency_p50_ns: estimate(Metric::LatencyP50),
            latency_p99_ns: estimate(Metric::LatencyP99),
            first_message_p50_ns: estimate(Metric::FirstMessage),
            skew_p50_ns: estimate(Metric::Skew),
            recovery_p50_ns: estimate(Metric::Recovery),
            bytes_per_delivery: estimate(Metric::Bytes),
            packets_per_delivery: estimate(Metric::Packets),
            cpu_ns_per_delivery: estimate(Metric::Cpu),
            memory_bytes_per_connection: estimate(Metric::Memory),
            kernel_bytes_per_connection: estimate(Metric::Kernel),
        })
    }
}

impl Totals {
    fn of(rounds: &[&Round]) -> Self {
        let sum = |count: fn(&Round) -> u64| total(rounds.iter().map(|round| count(round)));
        Self {
            messages: sum(|round| round.messages),
            expected: sum(|round| round.expected),
            n: sum(|round| round.n),
            lost: sum(|round| round.lost),
            repeated: sum(|round| round.repeated),
            reordered: sum(|round| round.reordered),
            damaged: sum(|round| round.damaged),
            reconnects: sum(|round| round.reconnects),
        }
    }
}

impl Bytes {
    /// All of them, both ways.
    #[must_use]
    pub fn sum(&self) -> u64 {
        let Self { down, up } = self;
        total([down.payload_bytes, down.framing_bytes, down.header_bytes, up.request_bytes, up.framing_bytes])
    }
}
