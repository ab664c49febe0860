//! The results as Markdown.

use std::fmt::{self, Write as _};

use super::{
    cell::Cell,
    contender::LIMIT,
    record::Record,
    summary::{Figures, Quantity, Row, rows},
    target::{self, Bound, Target},
};
use crate::fanout::{options::Transport, statistics::Summary, table::grouped};

/// What stands where there is nothing to show.
const NOTHING: &str = "–";

/// Writes all tables, and what has to be said with them.
pub fn render(record: &Record) -> Result<String, fmt::Error> {
    // What is not finished has no summary yet.
    let rows = rows(&record.samples);
    let view = View { record, rows: &rows };
    let mut text = String::new();
    view.origin(&mut text)?;
    for transport in [Transport::WebSocket, Transport::Sse, Transport::LongPoll] {
        view.main(&mut text, transport)?;
        view.grid(&mut text, transport)?;
    }
    view.idle(&mut text)?;
    view.targets(&mut text)?;
    view.notes(&mut text)?;
    Ok(text)
}

struct View<'a> {
    record: &'a Record,
    rows: &'a [Row],
}

impl View<'_> {
    fn origin(&self, text: &mut String) -> fmt::Result {
        let Record { origin, date, finished, contenders, .. } = self.record;
        let machine = &origin.machine;
        writeln!(text, "`{}` at {date}, commit {}, {}", origin.command, machine.commit, machine.rustc)?;
        writeln!(
            text,
            "on {} × {}, {} GiB, Linux {}: one worker, {} s a phase.",
            machine.cores, machine.processor, machine.memory_gib, machine.kernel, origin.method.phase_seconds
        )?;
        if finished.is_none() {
            writeln!(text, "The run is not finished: some samples are missing.")?;
        }
        let versions =
            contenders.iter().map(|contender| contender.version.as_str()).filter(|version| !version.is_empty());
        let mut versions: Vec<&str> = versions.collect();
        versions.dedup();
        writeln!(text, "Versions: {}.", versions.join("; "))
    }

    fn name<'b>(&'b self, id: &'b str) -> &'b str {
        self.record.contenders.iter().find(|contender| contender.id == id).map_or(id, |contender| &contender.name)
    }

    fn row(&self, cell: Cell, contender: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.cell == cell && row.contender == contender)
    }

    /// Everything about the middle cell of a transport.
    fn main(&self, text: &mut String, transport: Transport) -> fmt::Result {
        let rows: Vec<&Row> =
            self.rows.iter().filter(|row| row.cell.transport == transport && row.cell.is_main()).collect();
        let Some(first) = rows.first() else { return Ok(()) };
        let Cell { subscribers, payload, .. } = first.cell;
        writeln!(text, "\n**{transport}, {} subscribers, {payload} B**\n", grouped(subscribers.into()))?;
        text.push_str(
            "| server | CPU per delivery | × limit (min–max) | saturated, deliveries/s | (min–max) \
             | p50, low rate | p99 | bytes per message | n |\n\
             | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n",
        );
        for row in rows {
            let cpu = row.quantities.get(&Quantity::CpuNsPerDelivery);
            let rate = row.quantities.get(&Quantity::DeliveriesPerSecond);
            writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                self.name(&row.contender),
                cell_of(cpu, |figures| microseconds(figures.value.median / 1e3)),
                cell_of(cpu, to_limit),
                cell_of(rate, |figures| rate_of(row, figures)),
                cell_of(rate, |Figures { value, .. }| format!("{}–{}", grouped(value.min), grouped(value.max))),
                cell_of(row.quantities.get(&Quantity::P50Us), |figures| microseconds(figures.value.median)),
                cell_of(row.quantities.get(&Quantity::P99Us), |figures| microseconds(figures.value.median)),
                cell_of(row.quantities.get(&Quantity::BytesPerDelivery), |figures| grouped(figures.value.median)),
                row.samples,
            )?;
        }
        Ok(())
    }

    /// CPU in units of the limit and the saturated rate, in all cells of a transport.
    fn grid(&self, text: &mut String, transport: Transport) -> fmt::Result {
        let mut cells: Vec<Cell> =
            self.rows.iter().map(|row| row.cell).filter(|cell| cell.transport == transport).collect();
        cells.dedup();
        if cells.len() < 2 {
            return Ok(());
        }
        let table = |text: &mut String, title: &str, show: &dyn Fn(&Row) -> String| {
            write!(text, "\n{transport}, {title}:\n\n| server |")?;
            for Cell { subscribers, payload, .. } in &cells {
                write!(text, " {} × {} |", grouped((*subscribers).into()), size(*payload))?;
            }
            write!(text, "\n| --- |{}\n", " --: |".repeat(cells.len()))?;
            for contender in &self.record.contenders {
                let shown: Vec<String> = cells
                    .iter()
                    .map(|&cell| self.row(cell, &contender.id).map_or_else(|| NOTHING.to_owned(), show))
                    .collect();
                if shown.iter().any(|shown| shown != NOTHING) {
                    writeln!(text, "| {} | {} |", contender.name, shown.join(" | "))?;
                }
            }
            Ok::<(), fmt::Error>(())
        };
        table(text, "CPU per delivery, × limit", &|row| {
            cell_of(row.quantities.get(&Quantity::CpuNsPerDelivery), |figures| {
                let ratio = figures.ratio_to.get(LIMIT);
                ratio.map_or_else(|| microseconds(figures.value.median / 1e3), |ratio| format!("{:.2}", ratio.median))
            })
        })?;
        table(text, "saturated, deliveries/s", &|row| {
            cell_of(row.quantities.get(&Quantity::DeliveriesPerSecond), |figures| rate_of(row, figures))
        })
    }

    /// Memory and connects of the largest audience.
    fn idle(&self, text: &mut String) -> fmt::Result {
        let cell = |transport| Cell { transport, subscribers: 10_000, payload: 64 };
        let transports = [Transport::WebSocket, Transport::Sse, Transport::LongPoll];
        if !self.rows.iter().any(|row| transports.into_iter().any(|transport| row.cell == cell(transport))) {
            return Ok(());
        }
        text.push_str(
            "\n| 10,000 connections | idle memory each, B: WebSocket | SSE | long-poll \
             | connects/s: WebSocket | SSE | long-poll |\n| --- | --: | --: | --: | --: | --: | --: |\n",
        );
        for contender in &self.record.contenders {
            write!(text, "| {} |", contender.name)?;
            for quantity in [Quantity::MemoryPerConnection, Quantity::ConnectsPerSecond] {
                for transport in transports {
                    let row = self.row(cell(transport), &contender.id);
                    let figures = row.and_then(|row| row.quantities.get(&quantity));
                    write!(text, " {} |", cell_of(figures, |figures| grouped(figures.value.median)))?;
                }
            }
            text.push('\n');
        }
        Ok(())
    }

    fn targets(&self, text: &mut String) -> fmt::Result {
        text.push_str("\n| target | bound | measured (min–max) | |\n| --- | --- | --: | --- |\n");
        for target in target::all() {
            let Some(Summary { median, min, max }) = self.reached(&target) else { continue };
            let Target { contender, cell, quantity, bound, unit } = target;
            let (sign, bound_value) = match bound {
                Bound::AtMost(value) => ("≤", value),
                Bound::AtLeast(value) => ("≥", value),
            };
            let unit = unit.map_or_else(|| "B".to_owned(), |unit| format!("× {}", self.name(unit)));
            let verdict = if bound.holds(median) { "met" } else { "**missed**" };
            writeln!(
                text,
                "| {}: {cell}, {} | {sign} {} {unit} | {} ({}–{}) | {verdict} |",
                self.name(contender),
                title(quantity),
                decimal(bound_value),
                decimal(median),
                decimal(min),
                decimal(max),
            )?;
        }
        Ok(())
    }

    fn reached(&self, target: &Target) -> Option<Summary> {
        let figures = self.row(target.cell, target.contender)?.quantities.get(&target.quantity)?;
        match target.unit {
            Some(unit) => figures.ratio_to.get(unit).copied(),
            None => Some(figures.value),
        }
    }

    /// What is missing, and what is not to be trusted.
    fn notes(&self, text: &mut String) -> fmt::Result {
        text.push('\n');
        for Row { cell, contender, samples, failures, .. } in self.rows {
            for failure in failures {
                let name = self.name(contender);
                writeln!(text, "- {name} failed at {cell} ({samples} samples succeeded): {failure}")?;
            }
        }
        let limited: usize = self.rows.iter().map(|row| row.generator_was_limit).sum();
        if limited > 0 {
            writeln!(
                text,
                "- ≥: the load generator was the limit in some samples, {limited} in all; the server can do more."
            )?;
        }
        let disturbed: usize = self.rows.iter().map(|row| row.disturbed).sum();
        if disturbed > 0 {
            writeln!(
                text,
                "- In {disturbed} saturated samples neither server nor generator was busy: the machine did other things."
            )?;
        }
        Ok(())
    }
}

fn cell_of(figures: Option<&Figures>, show: impl FnOnce(&Figures) -> String) -> String {
    figures.map_or_else(|| NOTHING.to_owned(), show)
}

fn to_limit(figures: &Figures) -> String {
    figures
        .ratio_to
        .get(LIMIT)
        .map_or_else(|| "1".to_owned(), |Summary { median, min, max }| format!("**{median:.2}** ({min:.2}–{max:.2})"))
}

fn rate_of(row: &Row, figures: &Figures) -> String {
    let bound = if row.generator_was_limit > 0 { "≥ " } else { "" };
    format!("{bound}{}", grouped(figures.value.median))
}

fn microseconds(value: f64) -> String {
    if value < 100.0 { format!("{value:.2} µs") } else { format!("{} µs", grouped(value)) }
}

/// A number of bytes as it is spoken of.
fn size(bytes: u32) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{} KiB", bytes >> 10) }
}

fn decimal(number: f64) -> String {
    if number < 100.0 { format!("{number:.2}") } else { grouped(number) }
}

fn title(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::CpuNsPerDelivery => "CPU per delivery",
        Quantity::DeliveriesPerSecond => "saturated, deliveries/s",
        Quantity::P50Us => "p50 at a low rate",
        Quantity::P99Us => "p99 at a low rate",
        Quantity::BytesPerDelivery => "bytes per message",
        Quantity::MemoryPerConnection => "idle memory per connection",
        Quantity::ConnectsPerSecond => "connects/s",
    }
}
