//! The way down: an answer, or what the server says through a tunnel, on its way to the client.

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    answer::{Answer, Head, Part},
    body::{self, Body},
    request::Request,
};
use crate::lab::{
    faults::{ExchangeKind, Faults},
    links::Conditions,
    troubles::{
        Ending,
        antivirus::Antivirus,
        buffering::Buffering,
        count::{Content, Counter},
        cut::Cut,
        luck::Luck,
        pipe::{Pipe, Shape},
        sip::Sip,
        truncate::{Left, Truncate},
    },
};

/// The way from the far end to the client.
#[derive(Debug)]
pub(super) struct Down {
    pub(super) sip: Sip,
    pub(super) answer: Answer,
    antivirus: Antivirus,
    buffering: Buffering,
    pub(super) exit: Exit,
    /// Whether whatever comes is lost.
    pub(super) is_silent: bool,
    /// Whether the whole answer has reached the client.
    pub(super) is_delivered: bool,
}

/// Where an answer leaves the troubles and becomes bytes again.
#[derive(Debug)]
pub(super) struct Exit {
    truncate: Truncate,
    counter: Counter,
    pub(super) cut: Cut,
    body: Body,
    /// Whether the connection outlives the exchange.
    is_persistent: bool,
    /// Whether nothing more may enter the pipe.
    is_closed: bool,
    pub(super) pipe: Pipe,
}

impl Down {
    /// Waits for the answer to a request.
    pub(super) fn new(request: &Request, conditions: &Conditions, luck: &Luck, began: Instant) -> Self {
        let mut down = Self {
            sip: Sip::default(),
            answer: Answer::new(request.is_head()),
            antivirus: Antivirus::default(),
            buffering: Buffering::default(),
            exit: Exit {
                truncate: Truncate::Nothing,
                counter: Counter::of(Content::Opaque),
                cut: Cut::NEVER,
                body: Body::Empty,
                is_persistent: request.is_persistent(),
                is_closed: false,
                pipe: Pipe::new(Shape::default(), luck.down.clone()),
            },
            is_silent: false,
            is_delivered: false,
        };
        down.change(conditions, luck, began, began);
        down
    }

    /// Lets other faults take effect. What must not be held any more passes.
    pub(super) fn change(&mut self, conditions: &Conditions, luck: &Luck, began: Instant, now: Instant) {
        let faults: &Faults = &conditions.faults;
        let Self { antivirus, buffering, exit, .. } = self;
        self.sip = Sip::new(faults.slow_reader.and_then(|taken| taken.down));
        exit.pipe.reshape(Shape::down(faults), luck.down.clone());
        exit.cut = Cut::of(conditions, luck.cut_after, began);
        antivirus.switch(faults.hold_events.unwrap_or(false), &mut |part| {
            buffering.take(part, &mut |part| exit.take(part, now));
        });
        buffering.set(faults.buffer, &mut |part| exit.take(part, now));
    }

    /// Begins with an answer that is no interim one, which may have bad luck.
    pub(super) fn begin(&mut self, mut head: Head, kind: ExchangeKind, luck: &Luck, now: Instant) {
        if luck.loses_answer && !head.content.is_endless() {
            return self.exit.close(Ending::Reset, now);
        }
        if kind != ExchangeKind::Poll && head.content == Content::Batch {
            // Other answers in JSON have no messages.
            head.content = Content::Opaque;
        }
        if luck.is_truncated && kind == ExchangeKind::Poll {
            self.exit.truncate = Truncate::half_of(head.body.length());
        }
        self.take(Part::Head(head), now);
    }

    /// Sends a part through everything that may hold it back.
    pub(super) fn take(&mut self, part: Part, now: Instant) {
        let Self { antivirus, buffering, exit, .. } = self;
        antivirus.take(part, &mut |part| buffering.take(part, &mut |part| exit.take(part, now)));
    }

    /// Ends an answer that will never be complete. What was held of it passes before.
    pub(super) fn break_off(&mut self, ending: Ending, now: Instant) {
        let Self { antivirus, buffering, exit, .. } = self;
        antivirus.release(&mut |part| buffering.take(part, &mut |part| exit.take(part, now)));
        buffering.release(&mut |part| exit.take(part, now));
        exit.close(ending, now);
    }

    /// Ends an answer that the middlebox does not wait for any longer. What it held of the body is lost.
    pub(super) fn give_up(&mut self, ending: Ending, now: Instant) {
        let Self { buffering, exit, .. } = self;
        buffering.lose(&mut |part| exit.take(part, now));
        exit.close(ending, now);
    }

    /// How many bytes may be read from the far end.
    pub(super) fn room(&self, now: Instant) -> usize {
        let room = match self {
            Self { is_silent: true, .. } => usize::MAX,
            // Nothing is to come but the end of the connection.
            Self { is_delivered: true, .. } => 1,
            Self { exit: Exit { is_closed: true, .. }, .. } => 0,
            Self { exit, .. } => exit.pipe.room(now),
        };
        room.min(self.sip.allows(now))
    }
}

impl Exit {
    fn take(&mut self, part: Part, now: Instant) {
        if self.is_closed {
            return;
        }
        match self.truncate.take(part) {
            Left::Part(part) => self.pass(part, now),
            Left::Nothing => {}
            Left::Last(bytes) => {
                self.pass(Part::Data(bytes), now);
                self.close(Ending::Fin, now);
            }
        }
    }

    fn pass(&mut self, part: Part, now: Instant) {
        match part {
            Part::Head(head) => {
                self.counter = Counter::of(head.content);
                self.body = head.body;
                self.is_persistent &= head.is_persistent;
                self.send(head.bytes, now);
            }
            Part::Data(data) => self.pass_data(data, now),
            Part::End => {
                if self.body.is_chunked() {
                    self.send(body::LAST_CHUNK, now);
                }
                self.close(if self.is_persistent { Ending::Complete } else { Ending::Fin }, now);
            }
        }
    }

    /// Sends bytes of the body, as far as no cut comes between two messages.
    fn pass_data(&mut self, mut data: Bytes, now: Instant) {
        if let Some(at) = self.cut.within_messages(&data, &mut self.counter) {
            self.send_data(&data.split_to(at), now);
            self.cut(now);
            // The counter has stopped there; now it follows the rest.
            self.cut.within_messages(&data, &mut self.counter);
        }
        self.send_data(&data, now);
    }

    fn send_data(&mut self, data: &Bytes, now: Instant) {
        if !data.is_empty() {
            self.send(if self.body.is_chunked() { body::chunk(data) } else { data.clone() }, now);
        }
    }

    /// Sends bytes, as far as no cut comes between.
    pub(super) fn send(&mut self, mut bytes: Bytes, now: Instant) {
        if self.is_closed {
            return;
        }
        if let Some(at) = self.cut.within_bytes(bytes.len()) {
            self.pipe.push(bytes.split_to(at), now);
            self.cut(now);
        }
        if !self.is_closed {
            self.pipe.push(bytes, now);
        }
    }

    /// Cuts the exchange behind what has been sent. Silence on the way up alone leaves the way down open.
    fn cut(&mut self, now: Instant) {
        let ending = self.cut.ending();
        self.cut = Cut::NEVER;
        match ending {
            Ending::Silence(direction) if !direction.has_down() => self.pipe.end(ending, now),
            _ => self.close(ending, now),
        }
    }

    /// Sends the end, behind which nothing comes.
    pub(super) fn close(&mut self, ending: Ending, now: Instant) {
        if !self.is_closed {
            self.is_closed = true;
            self.pipe.end(ending, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;

    /// What comes out when an answer comes in pieces of a size, and how it ends.
    fn carried(faults: &str, answer: &[u8], piece: usize) -> (Vec<u8>, Option<Ending>) {
        let request = Request::read(&mut BytesMut::from("GET /channels/a/sse HTTP/1.1\r\n\r\n"));
        let request = request.expect("a good request").expect("a whole request");
        let faults = Arc::new(Faults::parse(faults.as_bytes()).expect("good faults"));
        let conditions = Conditions { faults, ..Conditions::healthy() };
        let (luck, now) = (Luck::of(&conditions), Instant::now());
        let (mut down, mut input) = (Down::new(&request, &conditions, &luck, now), BytesMut::new());
        for bytes in answer.chunks(piece) {
            input.extend_from_slice(bytes);
            while let Some(part) = down.answer.next(&mut input).expect("a good answer") {
                match part {
                    Part::Head(head) => down.begin(head, request.kind(), &luck, now),
                    part => down.take(part, now),
                }
            }
        }
        let mut wire = Vec::new();
        down.exit.pipe.take(usize::MAX, |bytes| wire.extend_from_slice(bytes));
        (wire, down.exit.pipe.take_end(now))
    }

    /// The body of an answer, without its chunks.
    fn payload(wire: &[u8]) -> Vec<u8> {
        let (mut answer, mut input, mut payload) = (Answer::new(false), BytesMut::from(wire), Vec::new());
        while let Some(part) = answer.next(&mut input).expect("a good answer") {
            if let Part::Data(data) = part {
                payload.extend_from_slice(&data);
            }
        }
        payload
    }

    fn events(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut wire =
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        wire.extend(chunks.iter().flat_map(|data| body::chunk(data)));
        wire.extend_from_slice(&body::LAST_CHUNK);
        wire
    }

    #[test]
    fn a_healthy_answer_that_comes_in_one_piece_goes_out_as_it_came() {
        let wire = events(&[b"data: 1\n\n".to_vec(), b"data: 2\n\n".to_vec()]);
        assert_eq!(carried("{}", &wire, wire.len()), (wire, Some(Ending::Complete)));
    }

    #[test]
    fn a_cut_in_chunks_comes_behind_a_whole_one() {
        let wire = events(&[b"data: 1\n\ndata: 2\n\nda".to_vec()]);
        let (out, ending) = carried(r#"{"cut": {"after_messages": 2, "how": "rst"}}"#, &wire, wire.len());
        assert!(out.ends_with(b"\r\n12\r\ndata: 1\n\ndata: 2\n\n\r\n"), "{}", String::from_utf8_lossy(&out));
        assert_eq!(ending, Some(Ending::Reset));
    }

    proptest! {
        #[test]
        fn whatever_is_held_back_the_payload_stays_the_same(
            chunks in proptest::collection::vec("(data: [a-z]{0,9}\n|:c\n|\n|\r|[a-z:]{1,9})", 0..30),
            piece in 1..60_usize,
            until_bytes in 1..100_usize,
        ) {
            let chunks: Vec<_> = chunks.into_iter().map(String::into_bytes).collect();
            let wire = events(&chunks);
            for faults in [
                "{}".to_owned(),
                r#"{"hold_events": true}"#.to_owned(),
                r#"{"buffer": {}}"#.to_owned(),
                format!(r#"{{"hold_events": true, "buffer": {{"until_bytes": {until_bytes}}}}}"#),
                r#"{"cut": {"after_bytes": 1000000}}"#.to_owned(),
            ] {
                let (out, ending) = carried(&faults, &wire, piece);
                prop_assert_eq!(payload(&out), chunks.concat(), "{}", faults);
                prop_assert_eq!(ending, Some(Ending::Complete));
            }
        }

        #[test]
        fn a_cut_passes_exactly_its_bytes(bytes in 0..150_usize, piece in 1..60_usize) {
            let wire = events(&[b"data: 1\n\n".to_vec(), b"data: 2\n\n".to_vec()]);
            let (whole, _) = carried("{}", &wire, piece);
            let (out, ending) = carried(&format!(r#"{{"cut": {{"after_bytes": {bytes}}}}}"#), &wire, piece);
            prop_assert_eq!(out.as_slice(), &whole[..bytes.min(whole.len())]);
            prop_assert_eq!(ending, Some(if bytes > whole.len() { Ending::Complete } else { Ending::Fin }));
        }
    }
}
