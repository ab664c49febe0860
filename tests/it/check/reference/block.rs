//! Blocks of an event stream (HTML §9.2.5).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Fault,
    channel::Message,
    encoder::{Encoder, PADDING},
    event::{Event, Kind, kind},
    wish::Format,
};

/// The lines of a block.
#[derive(Default)]
struct Block(String);

impl Block {
    fn line(&mut self, field: &str, value: &str) {
        self.0.extend([field, ": ", value, "\n"]);
    }
}

impl Encoder {
    /// The block of an event.
    pub fn block(&self, event: &Event) -> Vec<u8> {
        let mut block = Block::default();
        match event {
            Event::Message(message, replayed) => self.message_block(message, *replayed, &mut block),
            Event::Heartbeat(_) if self.format == Format::Raw => block.line("", "heartbeat"),
            Event::Hello(position) => {
                block.line("retry", "2000");
                if self.server.has(Fault::RetryAlone) {
                    block.0.push('\n');
                }
                block.line("event", "hello");
                if let Some(position) = position.as_ref().filter(|_| !self.server.has(Fault::NoIdBeforeFirstMessage)) {
                    block.line("id", position);
                }
                block.line("data", &self.object(event));
            }
            Event::Gap(gap) => {
                block.line("event", "gap");
                block.line("id", &self.cursor(gap.resume));
                block.line("data", &self.object(event));
            }
            Event::Heartbeat(_) => {
                block.line("event", "heartbeat");
                block.line("data", &self.object(event));
            }
        }
        let has_lines = block.0.matches("\ndata: ").count() > 1;
        if !(has_lines && self.server.has(Fault::BlankLineMissing)) {
            block.0.push('\n');
        }
        block.0.into_bytes()
    }

    fn message_block(&self, message: &Message, replayed: bool, block: &mut Block) {
        let publication = &message.publication;
        let kind = kind(&publication.content_type);
        if self.server.has(Fault::Padding) {
            block.line("", PADDING);
        }
        if !(replayed && self.server.has(Fault::IdMissingOnReplay)) {
            block.line("id", &self.cursor(message.offset));
        }
        let differs = replayed && self.server.has(Fault::ReplayDiffers);
        match (self.format, &publication.label, kind) {
            (Format::Json, ..) => block.line("event", "message"),
            (Format::Raw, Some(label), _) => block.line("event", label),
            (Format::Raw, None, Kind::Bytes) => block.line("event", "binary"),
            (Format::Raw, None, _) if differs => block.line("event", "message"),
            (Format::Raw, None, _) => {}
        }
        match (self.format, kind) {
            (Format::Json, _) => block.line("data", &self.message(message, replayed)),
            (Format::Raw, Kind::Bytes) => block.line("data", &STANDARD.encode(&publication.data)),
            (Format::Raw, Kind::Text | Kind::Json) => self.data_lines(&self.text(&publication.data), block),
        }
    }

    /// A line for each line of the text, whatever ends them, since each ends a line of the stream as well.
    fn data_lines(&self, text: &str, block: &mut Block) {
        if text.is_empty() && self.server.has(Fault::EmptyDataDropped) {
            return;
        }
        let mut text = text.to_owned();
        if !self.server.has(Fault::CarriageReturnInField) {
            text = text.replace("\r\n", "\n").replace('\r', "\n");
        }
        if self.server.has(Fault::LineFeedInField) {
            return block.line("data", &text);
        }
        text.split('\n').for_each(|line| block.line("data", line));
    }
}
