//! What a check says: the property, what must hold, what was seen instead.

use std::time::Duration;

use super::{
    trace::{Entry, LineNumber},
    transport::Transport,
};

/// Something that a server must keep to. Its promise is one sentence and names its source, if there is one.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// `CHECK.NAME`, for example `resume.no-loss`.
    pub id: &'static str,
    /// What must hold, in one sentence: `A ping is answered with its own payload (RFC 6455 §5.5.3).`
    pub promise: &'static str,
    /// Where to read about it, as a path of this program's site: `/book/protocol.html#cursors`.
    pub chapter: &'static str,
}

/// How a property was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one, if it is another than the one that was to be proved.
    pub property: Option<&'static Property>,
    /// What was seen, and what was expected in its place, in one sentence without a full stop.
    pub says: String,
    /// The connections on which it can be seen.
    pub lines: Vec<LineNumber>,
}

/// Why a proof did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server has broken a promise.
    Violated(Violation),
    /// The property does not apply here; this is why, in a sentence without a full stop.
    Skipped(String),
}

/// What a proof returns: nothing if the property holds.
pub type Proof<T = ()> = Result<T, Fault>;

impl Fault {
    /// The property that is being proved is broken. `says` names what was seen and what was expected; `lines` are the
    /// connections that show it.
    #[must_use]
    pub fn violated(says: impl Into<String>, lines: impl Into<Vec<LineNumber>>) -> Self {
        Self::Violated(Violation { property: None, says: says.into(), lines: lines.into() })
    }

    /// The property does not apply, for this reason.
    #[must_use]
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped(reason.into())
    }

    /// The same, which these connections show as well.
    #[must_use]
    pub fn shown_on(mut self, lines: impl IntoIterator<Item = LineNumber>) -> Self {
        if let Self::Violated(violation) = &mut self {
            violation.lines.extend(lines);
        }
        self
    }

    /// The same as a violation of this property.
    #[must_use]
    pub fn of(mut self, property: &'static Property) -> Self {
        if let Self::Violated(violation) = &mut self {
            violation.property = Some(property);
        }
        self
    }
}

/// What has become of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, as far as was seen.
    Passed,
    /// It does not hold.
    Failed {
        /// What was seen.
        says: String,
        /// The shortest trace that shows it.
        trace: Vec<Entry>,
    },
    /// It was not looked at.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// Its name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// Whether the property is broken.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// A property and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which property.
    pub property: &'static Property,
    /// On which transport, if it belongs to one.
    pub transport: Option<Transport>,
    /// What has become of it.
    pub verdict: Verdict,
}

/// What one check has found.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The check's name.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// Its properties, on each transport.
    pub outcomes: Vec<Outcome>,
}

impl CheckReport {
    /// `failed` if anything is; `skipped` if nothing was looked at; otherwise `passed`.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        let names = || self.outcomes.iter().map(|outcome| outcome.verdict.name());
        ["failed", "passed"].into_iter().find(|verdict| names().any(|name| name == *verdict)).unwrap_or("skipped")
    }
}

/// What all checks have found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The server's address.
    pub url: String,
    /// The profile's name.
    pub profile: String,
    /// What decided whatever was left to chance.
    pub seed: u64,
    /// The checks, in the order in which they ran.
    pub checks: Vec<CheckReport>,
}

impl Report {
    /// How many properties have this verdict's name: `passed`, `failed` or `skipped`.
    #[must_use]
    pub fn count(&self, verdict: &str) -> usize {
        self.checks.iter().flat_map(|check| &check.outcomes).filter(|outcome| outcome.verdict.name() == verdict).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PROPERTY: Property = Property { id: "a.b", promise: "It holds.", chapter: "/book/check.html" };

    fn report(verdicts: &[Verdict]) -> CheckReport {
        let outcome = |verdict: &Verdict| Outcome { property: &PROPERTY, transport: None, verdict: verdict.clone() };
        CheckReport { name: "a", took: Duration::ZERO, outcomes: verdicts.iter().map(outcome).collect() }
    }

    #[test]
    fn a_check_is_as_bad_as_its_worst_property_and_skipped_only_if_all_are() {
        let failed = Verdict::Failed { says: String::new(), trace: Vec::new() };
        let skipped = Verdict::Skipped { reason: String::new() };
        assert_eq!(report(&[Verdict::Passed, failed, skipped.clone()]).verdict(), "failed");
        assert_eq!(report(&[skipped.clone(), Verdict::Passed]).verdict(), "passed");
        assert_eq!(report(&[skipped]).verdict(), "skipped");
        assert_eq!(report(&[]).verdict(), "skipped");
    }
}
