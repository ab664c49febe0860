//! The results in one short table, for the README.

use std::fmt::{self, Write as _};

use super::{
    cell::Cell,
    contender::LIMIT,
    record::Record,
    summary::{Figures, Quantity, Row, rows},
};
use crate::fanout::{Result, options::Transport};

/// Where the table stands, from the root of the project.
pub const README: &str = "README.md";

/// What stands before and behind it there.
const BEGIN: &str = "<!-- by benches/peers/table, from measurements/peers.json -->\n";
const END: &str = "<!-- end of the table -->\n";

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::LongPoll];

/// The table: CPU and rate with 1,000 subscribers and 64 bytes, memory with 10,000.
pub fn render(record: &Record) -> std::result::Result<String, fmt::Error> {
    let rows = rows(&record.samples);
    let mut text = String::from(
        "| | CPU per delivery, × the limit | | | million deliveries/s, saturated | | | bytes per idle connection | | |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n\
         | | WebSocket | SSE | long-poll | WebSocket | SSE | long-poll | WebSocket | SSE | long-poll |\n",
    );
    for contender in &record.contenders {
        let of = |subscribers| move |transport| Cell { transport, subscribers, payload: 64 };
        let figures = |cell: Cell, quantity: Quantity| {
            rows.iter()
                .find(|row| row.cell == cell && row.contender == contender.id)
                .and_then(|row| Some((row, row.quantities.get(&quantity)?)))
        };
        let cpu = TRANSPORTS.map(of(1_000)).map(|cell| figures(cell, Quantity::CpuNsPerDelivery).map(to_limit));
        let rate = TRANSPORTS.map(of(1_000)).map(|cell| figures(cell, Quantity::DeliveriesPerSecond).map(millions));
        let memory = TRANSPORTS.map(of(10_000)).map(|cell| figures(cell, Quantity::MemoryPerConnection).map(bytes));
        let shown = [cpu, rate, memory].concat().into_iter().map(|value| value.unwrap_or_else(|| "–".to_owned()));
        writeln!(text, "| {} | {} |", contender.name, shown.collect::<Vec<_>>().join(" | "))?;
    }
    let Record { origin, date, .. } = record;
    let (machine, day) = (&origin.machine, date.get(..10).unwrap_or(date));
    writeln!(
        text,
        "\n1,000 subscribers and 64 bytes (memory: 10,000 subscribers), one worker each, all in one run on {} × {}, Linux {}, \
         {day}; medians of {} pairs. `{}` measures it, and [measurements/peers.md](measurements/peers.md) has the rest.",
        machine.cores,
        machine.processor,
        machine.kernel,
        rows.iter().filter(|row| row.cell.is_main()).map(|row| row.samples).max().unwrap_or(0),
        origin.command,
    )?;
    Ok(text)
}

fn to_limit((_, figures): (&Row, &Figures)) -> String {
    figures.ratio_to.get(LIMIT).map_or_else(|| "1".to_owned(), |ratio| format!("{:.2}", ratio.median))
}

fn millions((row, figures): (&Row, &Figures)) -> String {
    let bound = if row.generator_was_limit > 0 { "≥ " } else { "" };
    let value = figures.value.median / 1e6;
    if value < 1.0 { format!("{bound}{value:.2}") } else { format!("{bound}{value:.1}") }
}

fn bytes((_, figures): (&Row, &Figures)) -> String {
    crate::fanout::table::grouped(figures.value.median)
}

/// The text with this table in place of the one that is there.
pub fn put_into(text: &str, table: &str) -> Result<String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, behind) = parts.ok_or_else(|| format!("{README} has no place for the table: {BEGIN} … {END}"))?;
    Ok(format!("{before}{BEGIN}\n{table}\n{END}{behind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_show_what_was_measured() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |name: &str| std::fs::read_to_string(root.join(name)).expect(name);
        let record = Record::load(&root.join("measurements/peers.json")).expect("a run");
        let readme = read(README);
        let table = render(&record).expect("a table");
        assert_eq!(put_into(&readme, &table).expect("a place"), readme, "benches/peers/table --write");
        let all = super::super::table::render(&record).expect("tables");
        assert_eq!(all, read("measurements/peers.md"), "benches/peers/table --write");
    }
}
