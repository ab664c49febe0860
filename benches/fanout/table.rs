//! The report as Markdown.

use std::fmt::{self, Write as _};

use super::{
    report::{Doubts, PostRow, Report, Row},
    statistics::{Comparison, Summary},
    targets,
};

/// Writes the tables, and what has to be said with them.
pub fn render(report: &Report) -> Result<String, fmt::Error> {
    let mut text = String::new();
    origin(&mut text, report)?;
    fan_out(&mut text, &report.summary)?;
    doubts(&mut text, report)?;
    idle_memory(&mut text, &report.summary)?;
    if let Some(row) = &report.posts_summary {
        posts(&mut text, row)?;
    }
    Ok(text)
}

fn origin(text: &mut String, report: &Report) -> fmt::Result {
    let Report { date, command, machine, plan, .. } = report;
    writeln!(text, "`{command}` at {date}, commit {}, {}", machine.commit, machine.rustc)?;
    writeln!(
        text,
        "on {} × {}, {} GiB, Linux {}: {} pairs, {} B payload, {:?} a phase.\n",
        machine.cores, machine.processor, machine.memory_gib, machine.kernel, plan.pairs, plan.payload, plan.phase
    )
}

fn fan_out(text: &mut String, rows: &[Row]) -> fmt::Result {
    text.push_str(
        "| transport | subscribers | CPU per delivery: bare | fallcast | × bare (min–max) | target \
         | saturated, deliveries/s: bare | fallcast | × bare (min–max) | connects/s: bare | fallcast |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for row in rows {
        let cpu = &row.server_cpu_ns_per_delivery;
        let target = targets::cpu_per_delivery(row.transport, row.subscribers);
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row.transport,
            grouped(row.subscribers.into()),
            microseconds(cpu.bare.median),
            microseconds(cpu.fallcast.median),
            ratio(&cpu.ratio),
            at_most(target, cpu.ratio.median, "×"),
            median_rate(row.deliveries_per_second.as_ref(), |rates| &rates.bare),
            median_rate(row.deliveries_per_second.as_ref(), |rates| &rates.fallcast),
            row.deliveries_per_second.as_ref().map_or_else(|| "–".to_owned(), |rates| ratio(&rates.ratio)),
            grouped(row.connects_per_second.bare.median),
            grouped(row.connects_per_second.fallcast.median),
        )?;
    }
    Ok(())
}

/// Says which of the saturated rates are not to be trusted.
fn doubts(text: &mut String, report: &Report) -> fmt::Result {
    let Doubts { all, limited, disturbed } = report.doubts();
    if limited > 0 {
        writeln!(
            text,
            "\nIn {limited} of {all} saturated samples the load generator was the limit: their rates are too low."
        )?;
    }
    if disturbed > 0 {
        writeln!(
            text,
            "\nIn {disturbed} of {all} saturated samples the machine was busy with other things: their rates mean little."
        )?;
    }
    Ok(())
}

fn median_rate(rates: Option<&Comparison>, side: fn(&Comparison) -> &Summary) -> String {
    rates.map_or_else(|| "–".to_owned(), |rates| grouped(side(rates).median))
}

/// Only the largest audience: with a few connections, what the process allocates for itself would drown them.
fn idle_memory(text: &mut String, rows: &[Row]) -> fmt::Result {
    let largest = rows.iter().map(|row| row.subscribers).max();
    text.push_str(
        "\n| transport | idle connections | memory per connection, B (min–max) | target |\n| --- | --: | --: | --: |\n",
    );
    for row in rows.iter().filter(|row| Some(row.subscribers) == largest) {
        let Summary { median, min, max } = row.memory_per_connection;
        writeln!(
            text,
            "| {} | {} | {} ({}–{}) | {} |",
            row.transport,
            grouped(row.subscribers.into()),
            grouped(median),
            grouped(min),
            grouped(max),
            at_most(targets::idle_memory(row.transport, row.subscribers), median, "B"),
        )?;
    }
    Ok(())
}

fn posts(text: &mut String, row: &PostRow) -> fmt::Result {
    let (rates, cpu) = (&row.messages_per_second, &row.server_cpu_ns_per_message);
    text.push_str(
        "\n| publishing by POST, no subscriber | bare handler | fallcast | × bare (min–max) | target |\n\
         | --- | --: | --: | --: | --: |\n",
    );
    writeln!(
        text,
        "| messages/s | {} | {} | {} | ≥ {} ×, {} |",
        grouped(rates.bare.median),
        grouped(rates.fallcast.median),
        ratio(&rates.ratio),
        targets::POSTS_PER_SECOND,
        verdict(rates.ratio.median >= targets::POSTS_PER_SECOND),
    )?;
    writeln!(
        text,
        "| CPU per message | {} | {} | {} | – |",
        microseconds(cpu.bare.median),
        microseconds(cpu.fallcast.median),
        ratio(&cpu.ratio),
    )
}

fn ratio(Summary { median, min, max }: &Summary) -> String {
    format!("**{median:.2}** ({min:.2}–{max:.2})")
}

fn microseconds(nanoseconds: f64) -> String {
    format!("{:.2} µs", nanoseconds / 1000.0)
}

fn at_most(target: Option<f64>, actual: f64, unit: &str) -> String {
    target
        .map_or_else(|| "–".to_owned(), |target| format!("≤ {} {unit}, {}", decimal(target), verdict(actual <= target)))
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

/// A small number as it is, a large one in groups of digits.
fn decimal(number: f64) -> String {
    if number < 100.0 { number.to_string() } else { grouped(number) }
}

/// A number without decimals, its digits in groups of three.
pub fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(grouped(7.4), "7");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
    }

    #[test]
    fn a_target_is_shown_with_its_verdict() {
        assert_eq!(at_most(Some(1.5), 1.5, "×"), "≤ 1.5 ×, met");
        assert_eq!(at_most(Some(11_000.0), 11_001.0, "B"), "≤ 11,000 B, missed");
        assert_eq!(at_most(None, 1.0, "×"), "–");
    }
}
