//! What comes out: the files that Criterion leaves for each benchmark, as one table and one file.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::Result;

/// Everything that was measured. `benches/README.md` describes the fields.
#[derive(Serialize)]
pub struct Report {
    version: u32,
    date: String,
    command: String,
    #[cfg(target_os = "linux")]
    machine: super::machine::Description,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    name: &'static str,
    question: &'static str,
    benchmarks: Vec<Row>,
}

/// One benchmark. All times are those of one iteration, in nanoseconds.
#[derive(Debug, PartialEq, Serialize)]
struct Row {
    benchmark: String,
    input: Option<String>,
    /// What one iteration does: so many elements or bytes.
    work: Option<Work>,
    median_ns: f64,
    low_ns: f64,
    high_ns: f64,
    confidence: f64,
    samples_ns: Vec<f64>,
}

/// Under these names Criterion writes the throughputs that are used here.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum Work {
    #[serde(rename(serialize = "elements"))]
    Elements(u64),
    #[serde(rename(serialize = "bytes"))]
    Bytes(u64),
}

/// `benchmark.json`
#[derive(Deserialize)]
struct Id {
    #[serde(rename = "group_id")]
    group: String,
    #[serde(rename = "function_id")]
    function: Option<String>,
    #[serde(rename = "value_str")]
    value: Option<String>,
    throughput: Option<Work>,
}

/// `estimates.json`
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Interval {
    confidence_level: f64,
    lower_bound: f64,
    upper_bound: f64,
}

/// `sample.json`: how often a benchmark was iterated, and what all of that took in nanoseconds.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// Set to `write`, it has the results kept.
const KEEP: &str = "FALLCAST_MEASUREMENTS";
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/measurements/micro.json");

/// Prints what was measured since `started`, and writes it to the file if that is asked for.
pub fn conclude(started: SystemTime) -> Result<()> {
    let groups = gather(&results(), started)?;
    if groups.iter().all(|group| group.benchmarks.is_empty()) {
        return Ok(());
    }
    print!("{}", tables(&groups));
    if env::var(KEEP).as_deref() != Ok("write") {
        return Ok(());
    }
    if let Some(missing) = groups.iter().find(|group| group.benchmarks.is_empty()) {
        return Err(format!("nothing of {:?} was measured; only a run of everything is kept", missing.name).into());
    }
    let report = Report {
        version: 1,
        date: humantime::format_rfc3339_seconds(started).to_string(),
        command: "cargo bench --bench micro".to_owned(),
        #[cfg(target_os = "linux")]
        machine: super::machine::Description::gather(),
        groups,
    };
    fs::create_dir_all(Path::new(FILE).with_file_name(""))?;
    fs::write(FILE, serde_json::to_string_pretty(&report)? + "\n")?;
    Ok(())
}

/// Where Criterion puts its results, as its manual says: below the target folder, unless it is told otherwise.
fn results() -> PathBuf {
    env::var_os("CRITERION_HOME")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("criterion"), Into::into)
}

/// Reads the benchmarks that have results newer than `started`, by topic, in the order in which they ran.
fn gather(results: &Path, started: SystemTime) -> Result<Vec<Group>> {
    let mut found = Vec::new();
    find(results, &mut found)?;
    let mut fresh = Vec::new();
    for folder in found {
        let written = fs::metadata(folder.join("estimates.json"))?.modified()?;
        if written >= started {
            fresh.push((written, folder));
        }
    }
    fresh.sort();
    let mut rows = fresh.iter().map(|(_, folder)| read(folder)).collect::<Result<Vec<_>>>()?;
    let mut take = |group: &str| rows.extract_if(.., |(of, _)| of == group).map(|(_, row)| row).collect();
    Ok(super::TOPICS
        .iter()
        .map(|topic| Group { name: topic.group, question: topic.question, benchmarks: take(topic.group) })
        .collect())
}

/// Finds the folders with the results of a benchmark's latest run, all of which Criterion calls `new`.
fn find(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.ends_with("new") && path.join("estimates.json").is_file() {
            found.push(path);
        } else if path.is_dir() {
            find(&path, found)?;
        }
    }
    Ok(())
}

fn read(folder: &Path) -> Result<(String, Row)> {
    let file = |name: &str| -> Result<String> {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|error| format!("can't read {}: {error}", path.display()).into())
    };
    row(&file("benchmark.json")?, &file("estimates.json")?, &file("sample.json")?)
}

/// The group and the row of one benchmark, from its three files.
fn row(benchmark: &str, estimates: &str, sample: &str) -> Result<(String, Row)> {
    let Id { group, function, value, throughput } = serde_json::from_str(benchmark)?;
    let Estimate { confidence_interval, point_estimate } = serde_json::from_str::<Estimates>(estimates)?.median;
    let Sample { iters, times } = serde_json::from_str(sample)?;
    let row = Row {
        benchmark: function.unwrap_or_default(),
        input: value,
        work: throughput,
        median_ns: point_estimate,
        low_ns: confidence_interval.lower_bound,
        high_ns: confidence_interval.upper_bound,
        confidence: confidence_interval.confidence_level,
        samples_ns: times.iter().zip(&iters).map(|(time, count)| time / count).collect(),
    };
    Ok((group, row))
}

/// The results as Markdown: each question, and a table that answers it.
fn tables(groups: &[Group]) -> String {
    groups.iter().filter(|group| !group.benchmarks.is_empty()).map(table).collect()
}

fn table(Group { name, question, benchmarks }: &Group) -> String {
    let rows: String = benchmarks.iter().map(line).collect();
    format!(
        "\n**{name}.** {question}\n\n\
         | what | of | time (95 % interval) | throughput |\n| --- | ---: | ---: | ---: |\n{rows}"
    )
}

fn line(row: &Row) -> String {
    let input = row.input.as_deref().unwrap_or("–");
    let [median, low, high] = [row.median_ns, row.low_ns, row.high_ns].map(duration);
    let rate = row.work.map_or_else(|| "–".to_owned(), |work| rate(work, row.median_ns));
    format!("| {} | {input} | **{median}** ({low}–{high}) | {rate} |\n", row.benchmark)
}

/// Three digits and a unit.
fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 999.5 => format!("{} ns", digits(ns)),
        ns if ns < 999.5e3 => format!("{} µs", digits(ns / 1e3)),
        ns => format!("{} ms", digits(ns / 1e6)),
    }
}

fn rate(work: Work, nanoseconds: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let per_second = |count: u64| count as f64 / nanoseconds * 1e9;
    match work {
        Work::Elements(count) => format!("{} M/s", digits(per_second(count) / 1e6)),
        Work::Bytes(count) => format!("{} GB/s", digits(per_second(count) / 1e9)),
    }
}

fn digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENCHMARK: &str = r#"{"group_id":"encode","function_id":"SSE raw","value_str":"1 KiB",
        "throughput":{"Bytes":1024},"full_id":"encode/SSE raw/1 KiB","directory_name":"encode/SSE raw/1 KiB","title":""}"#;
    const ESTIMATES: &str = r#"{"mean":{"confidence_interval":{"confidence_level":0.95,"lower_bound":1.0,
        "upper_bound":2.0},"point_estimate":1.5,"standard_error":0.1},"median":{"confidence_interval":
        {"confidence_level":0.95,"lower_bound":240.5,"upper_bound":260.0},"point_estimate":250.0,"standard_error":0.1}}"#;
    const SAMPLE: &str = r#"{"sampling_mode":"Linear","iters":[1.0,2.0],"times":[249.0,502.0]}"#;

    fn example() -> (String, Row) {
        row(BENCHMARK, ESTIMATES, SAMPLE).expect("the files are as Criterion writes them")
    }

    #[test]
    fn a_row_has_the_median_of_estimates_and_each_sample_for_one_iteration() {
        let (group, row) = example();
        assert_eq!(
            (group.as_str(), row.benchmark.as_str(), row.input.as_deref()),
            ("encode", "SSE raw", Some("1 KiB"))
        );
        assert_eq!((row.low_ns, row.median_ns, row.high_ns), (240.5, 250.0, 260.0));
        assert_eq!((row.samples_ns, row.work), (vec![249.0, 251.0], Some(Work::Bytes(1024))));
    }

    #[test]
    fn a_file_of_another_form_is_an_error() {
        assert!(row(BENCHMARK, "{}", SAMPLE).is_err());
        assert!(row(BENCHMARK, ESTIMATES, "").is_err());
        assert!(row(&BENCHMARK.replace("Bytes", "Parsecs"), ESTIMATES, SAMPLE).is_err());
    }

    #[test]
    fn the_table_shows_question_times_and_throughput() {
        let groups = [
            Group { name: "encode", question: "How much?", benchmarks: vec![example().1] },
            Group { name: "append", question: "Not measured", benchmarks: vec![] },
        ];
        let expected = "\n**encode.** How much?\n\n\
                        | what | of | time (95 % interval) | throughput |\n| --- | ---: | ---: | ---: |\n\
                        | SSE raw | 1 KiB | **250 ns** (240 ns–260 ns) | 4.10 GB/s |\n";
        assert_eq!(tables(&groups), expected);
    }

    #[test]
    fn three_digits_and_a_unit_are_shown() {
        let shown = [0.5, 12.34, 999.4, 999.6, 12_345.0, 1e6].map(duration);
        assert_eq!(shown, ["0.50 ns", "12.3 ns", "999 ns", "1.00 µs", "12.3 µs", "1.00 ms"]);
        assert_eq!(rate(Work::Elements(1000), 2000.0), "500 M/s");
    }

    #[test]
    fn only_results_of_this_run_are_gathered_and_in_the_order_of_topics() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("micro-report");
        // It is left over if a run before this one has failed.
        let _ = fs::remove_dir_all(&folder);
        let new = folder.join("encode/SSE_raw/1_KiB/new");
        fs::create_dir_all(&new).expect("a folder");
        for (name, text) in [("benchmark", BENCHMARK), ("estimates", ESTIMATES), ("sample", SAMPLE)] {
            fs::write(new.join(name).with_extension("json"), text).expect("a file");
        }
        let rows = |started| {
            let groups = gather(&folder, started).expect("well-formed files");
            groups.into_iter().map(|of| (of.name, of.benchmarks.len())).filter(|&(_, rows)| rows > 0).collect()
        };
        let (fresh, stale): (Vec<_>, Vec<_>) =
            (rows(SystemTime::UNIX_EPOCH), rows(SystemTime::now() + std::time::Duration::from_mins(1)));
        assert_eq!((fresh, stale), (vec![("encode", 1)], vec![]));
        fs::remove_dir_all(&folder).expect("the folder is there");
    }
}
