//! What `fallcast tail` prints: messages to standard output, as text or as JSON, and other events where they fit.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use clap::ValueEnum;

use super::event::{Event, Message};
use crate::cli::notice::{harmless, notice};

/// How a message is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The data; bytes in base64
    Text,
    /// One event object per line
    Json,
}

/// Standard output, or in tests something else.
pub struct Output<W: Write = Stdout> {
    writer: BufWriter<W>,
    format: Format,
    is_terminal: bool,
}

impl Output {
    /// Prepares to print.
    pub fn new(format: Format) -> Self {
        let stdout = io::stdout();
        Self { is_terminal: stdout.is_terminal(), writer: BufWriter::new(stdout), format }
    }
}

impl<W: Write> Output<W> {
    /// Prints a message.
    ///
    /// # Errors
    /// The output is closed or broken.
    pub fn message(&mut self, event: &Event, message: &Message) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(event),
            Format::Text => self.text(&message.text()),
        }
    }

    /// Prints an event that is no message. In the format `text` it goes to standard error, because standard output
    /// carries nothing but data.
    ///
    /// # Errors
    /// The output is closed or broken.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        match self.format {
            Format::Json => self.json(event),
            Format::Text => {
                // First what came before it, so that a terminal shows both in order.
                self.flush()?;
                notice(&format!("{} {}", event.name, event.fields));
                Ok(())
            }
        }
    }

    /// Hands everything printed to the operating system.
    ///
    /// # Errors
    /// The output is closed or broken.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn json(&mut self, event: &Event) -> io::Result<()> {
        let name = serde_json::to_string(&event.name)?;
        writeln!(self.writer, "{{{name}:{}}}", event.fields)
    }

    /// Prints text and ends its last line, unless the text has done so by itself.
    fn text(&mut self, text: &str) -> io::Result<()> {
        let text = if self.is_terminal { harmless(text) } else { text.into() };
        self.writer.write_all(text.as_bytes())?;
        if text.ends_with('\n') { Ok(()) } else { self.writer.write_all(b"\n") }
    }
}

/// Waits until nobody reads standard output any more, so that `fallcast tail chat | head -1` ends with the first
/// message and not only when a second one comes. Waits forever where the system doesn't tell.
#[cfg(unix)]
pub async fn closed() {
    if watch().await.is_err() {
        // Standard output is a file, which nobody can close but this process.
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn watch() -> io::Result<()> {
    use std::os::fd::AsFd;
    use tokio::{io::Interest, net::unix::pipe::Sender};

    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    // Unchecked, because it is watched and never written to: so it need not be in non-blocking mode, which would change
    // it for everybody who shares it. A pipe without a reader is in the state of an error.
    let pipe = Sender::from_owned_fd_unchecked(stdout)?;
    while !pipe.ready(Interest::ERROR).await?.is_error() {}
    Ok(())
}

/// Waits forever: here a closed output shows only when something is written.
#[cfg(not(unix))]
pub async fn closed() {
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tail::event::Kind;

    fn print(format: Format, is_terminal: bool, json: &str) -> String {
        let mut output = Output { writer: BufWriter::new(Vec::new()), format, is_terminal };
        let event = Event::parse(json.as_bytes()).expect("an event");
        match &event.kind {
            Kind::Message(message) => output.message(&event, message),
            _ => output.event(&event),
        }
        .expect("memory can be written to");
        let bytes = output.writer.into_inner().expect("memory can be written to");
        String::from_utf8(bytes).expect("the output is text")
    }

    #[test]
    fn text_ends_in_one_line_break() {
        let message = |data: &str| format!(r#"{{"message":{{"id":"a.1","data":{data}}}}}"#);
        assert_eq!(print(Format::Text, false, &message(r#""hello""#)), "hello\n");
        assert_eq!(print(Format::Text, false, &message(r#""hello\nworld\n""#)), "hello\nworld\n");
        assert_eq!(print(Format::Text, false, &message(r#""""#)), "\n");
    }

    #[test]
    fn json_is_the_event_as_the_server_sent_it() {
        for event in [r#"{"message":{"id":"a.1","new":1.50,"data":"x"}}"#, r#"{"weather":{"is":"fine"}}"#] {
            assert_eq!(print(Format::Json, true, event), format!("{event}\n"));
        }
    }

    #[test]
    fn a_terminal_gets_no_escape_sequences_and_a_pipe_gets_everything() {
        let message = r#"{"message":{"id":"a.1","data":"\u001b[2J"}}"#;
        assert_eq!(print(Format::Text, true, message), "\\u{1b}[2J\n");
        assert_eq!(print(Format::Text, false, message), "\u{1b}[2J\n");
    }
}
