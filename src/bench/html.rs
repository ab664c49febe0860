//! A report as one page that needs nothing else: no server, no network, no other file.
//!
//! The page is `html/report.html`, its look the site's own with `html/report.css`, and its program what lies in `html/` as
//! `.js`, put together to one script. It draws with plotly.js, which stands in the page compressed: so the file has two
//! megabytes instead of five. What it shows is the report itself, as JSON, and what this module computes from histograms,
//! since a page could not decode them in a few lines.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::site;

use super::{
    compare::{self, Comparison},
    findings,
    metric::{Metric, exact, merged},
    report::{Cell, Distribution, Report, Round},
    statistics::Ratio,
    words,
};

const PAGE: &str = include_str!("html/page.html");
const STYLE: [&str; 2] = [include_str!("../site/pages/site.css"), include_str!("html/report.css")];
const THEME: &str = include_str!("../../demos/frame/theme.js");
const SHARED: [&str; 3] =
    [include_str!("html/words.js"), include_str!("html/elements.js"), include_str!("html/chart.js")];
const REPORT: &str = include_str!("html/report.js");
const COMPARISON: &str = include_str!("html/comparison.js");

/// How many points of a curve there are between a percentile and the next that leaves half as many values beyond it.
const POINTS_PER_HALVING: u32 = 8;

/// The page of a report.
#[must_use]
pub fn render(report: &Report) -> String {
    let title = report.question.as_deref().unwrap_or("Transports compared");
    page(title, REPORT, &Content { report, cells: report.cells.iter().map(|cell| Drawn::of(report, cell)).collect() })
}

/// The page of a comparison.
#[must_use]
pub fn render_comparison(comparison: &Comparison) -> String {
    page("Machines compared", COMPARISON, comparison)
}

fn page(title: &str, program: &str, content: &impl Serialize) -> String {
    let content = serde_json::to_string(content).unwrap_or_default();
    let program: String = SHARED.into_iter().chain([program]).collect();
    // One pass over the page, so that nothing in a report can be taken for a place to fill in.
    let mut filled = String::new();
    let mut rest = PAGE;
    while let Some((before, (place, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        filled.push_str(before);
        match place {
            "title" => filled.push_str(&as_text(title)),
            "style" => STYLE.into_iter().for_each(|style| filled.push_str(style)),
            "theme" => filled.push_str(THEME),
            "program" => filled.push_str(&program),
            "content" => filled.push_str(&inside_script(&content)),
            "plotly" => filled.push_str(&BASE64_STANDARD.encode(site::PLOTLY_GZIP)),
            _ => debug_assert!(false, "page.html asks for {place}"),
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

/// Text between tags (WHATWG HTML §13.1.3).
fn as_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON inside a script element: no `<` can end the element or begin a comment (WHATWG HTML §4.12.1.3).
fn inside_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// What the page's program is given.
#[derive(Serialize)]
struct Content<'a> {
    report: &'a Report,
    cells: Vec<Drawn>,
}

/// What is drawn of a cell, beside what stands in the report.
#[derive(Serialize)]
struct Drawn {
    name: String,
    load: String,
    /// For each distribution its curve over all valid rounds.
    curves: BTreeMap<&'static str, Curve>,
    /// For each metric the figure of each round, in their order.
    dots: BTreeMap<&'static str, Vec<Option<f64>>>,
    /// The name of what it is compared with.
    against: Option<String>,
    /// For each metric how it compares with that.
    ratios: BTreeMap<&'static str, Option<Ratio>>,
}

impl Drawn {
    fn of(report: &Report, cell: &Cell) -> Self {
        let curve = |distribution: fn(&Round) -> Option<&Distribution>| {
            Curve::of(&merged(cell.valid_rounds().filter_map(distribution)))
        };
        let reference = compare::reference(report, cell);
        Self {
            name: findings::name(report, cell),
            load: words::load(cell),
            curves: BTreeMap::from([
                ("latency", curve(|round| Some(&round.latency))),
                ("first_message", curve(|round| Some(&round.first_message))),
                ("skew", curve(|round| Some(&round.skew))),
                ("recovery", curve(|round| round.recovery.as_ref().map(|recovery| &recovery.time))),
            ]),
            dots: of_each(|metric| cell.rounds.iter().map(|round| metric.of_round(cell, round)).collect()),
            against: reference.map(|reference| findings::name(report, reference)),
            ratios: of_each(|metric| findings::ratio(metric, cell, reference?)),
        }
    }
}

fn of_each<T>(value: impl Fn(Metric) -> T) -> BTreeMap<&'static str, T> {
    Metric::ALL.into_iter().map(|metric| (metric.key(), value(metric))).collect()
}

/// A distribution as points of a curve.
#[derive(Serialize)]
struct Curve {
    /// The share of values that are at most as large.
    share: Vec<f64>,
    /// The value.
    ns: Vec<f64>,
}

impl Curve {
    /// Below the median one point for each hundredth; above it ever closer, since that is where the figures are.
    fn of(histogram: &Histogram<u64>) -> Self {
        let body = (0..=50).map(|percent| f64::from(percent) / 100.0);
        let body = body.map(|share| (share, histogram.value_at_quantile(share))).filter(|_| !histogram.is_empty());
        let tail = histogram.iter_quantiles(POINTS_PER_HALVING).map(|step| (step.quantile(), step.value_iterated_to()));
        let (share, ns) =
            body.chain(tail.filter(|(share, _)| *share > 0.5)).map(|(share, ns)| (share, exact(ns))).unzip();
        Self { share, ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_report_ends_the_script_that_holds_it() {
        let json = serde_json::to_string("</script><!-- <script>").expect("a string is JSON");
        let inside = inside_script(&json);
        assert!(!inside.contains('<'), "{inside}");
        assert_eq!(serde_json::from_str::<String>(&inside).expect("still JSON"), "</script><!-- <script>");
    }

    #[test]
    fn every_place_is_filled_once() {
        let page = page("{{content}} & <b>", "run();", &"{{plotly}}");
        assert!(page.contains("<title>{{content}} &amp; &lt;b&gt;"), "a title is not searched for places");
        assert!(page.contains(r#""{{plotly}}""#), "neither is the content");
    }
}
