//! The way up: a request, or what a client says through a tunnel, on its way to the far end.

use std::io::IoSlice;

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::time::Instant;

use super::{
    body::{self, Body, Piece},
    far::Far,
    request::Request,
};
use crate::lab::{
    faults::Faults,
    links::Conditions,
    troubles::{
        Ending,
        luck::Luck,
        pipe::{Pipe, Shape},
        retry::Retry,
        sip::Sip,
    },
};

/// How much of a request has entered the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Not all of it. Of a tunnel, never all.
    Part,
    Whole,
    /// Nobody can tell where it ends.
    Broken,
}

impl Extent {
    const fn of(body: Body) -> Self {
        match body.length() {
            Some(0) => Self::Whole,
            _ => Self::Part,
        }
    }
}

/// The way from the client to the far end.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) sip: Sip,
    body: Body,
    extent: Extent,
    /// Whether the far end is to learn, or has learned, that the client has gone.
    is_parting: bool,
    pub(super) pipe: Pipe,
    /// What goes to the far end before anything else: a request that is sent again.
    repeated: Bytes,
    pub(super) retry: Option<Retry>,
    /// Whether whatever comes is lost.
    pub(super) is_silent: bool,
}

impl Up {
    /// Begins with the head of a request. TCP's handshake goes there and back before the first one of a connection.
    pub(super) fn new(request: &Request, far: &Far, is_first: bool, conditions: &Conditions, luck: &Luck) -> Self {
        let (shape, back, now) = (Shape::up(&conditions.faults), Shape::down(&conditions.faults), Instant::now());
        let mut pipe = Pipe::new(shape, luck.up.clone());
        if is_first {
            pipe.open_at(now + shape.latency + back.latency);
        }
        pipe.push(request.to_bytes(), now);
        let can_repeat = Retry::can_keep(request.body.length(), request.is_handshake()) && far.is_server();
        Self {
            sip: sip(&conditions.faults),
            body: request.body,
            extent: Extent::of(request.body),
            is_parting: false,
            pipe,
            repeated: Bytes::new(),
            retry: (luck.is_duplicated && can_repeat).then(Retry::default),
            is_silent: false,
        }
    }

    /// Makes the line another one.
    pub(super) fn change(&mut self, faults: &Faults, luck: &Luck) {
        self.pipe.reshape(Shape::up(faults), luck.up.clone());
        self.sip = sip(faults);
    }

    /// Turns the rest of the exchange into a tunnel.
    pub(super) const fn become_tunnel(&mut self) {
        self.body = Body::Endless;
        self.extent = Extent::Part;
    }

    /// Puts what has come from the client into the pipe, as far as it belongs to this exchange and there is room. What
    /// belongs to the next request stays where it is. False if there is nothing to do.
    pub(super) fn take(&mut self, input: &mut BytesMut, now: Instant) -> bool {
        if self.is_silent {
            input.clear();
        }
        if self.extent != Extent::Part {
            return false;
        }
        let is_chunked = self.body.is_chunked();
        // What has come together with the head is taken as slowly as the rest.
        match self.body.next(input, self.pipe.room(now).min(self.sip.allows(now))) {
            Ok(Some(Piece::Data(data))) => {
                self.sip.took(data.len(), now);
                self.pipe.push(if is_chunked { body::chunk(&data) } else { data }, now);
            }
            Ok(Some(Piece::End)) => {
                self.extent = Extent::Whole;
                if is_chunked {
                    self.pipe.push(body::LAST_CHUNK, now);
                }
            }
            Ok(None) => return false,
            Err(_) => self.extent = Extent::Broken,
        }
        true
    }

    /// Whether only its last chunk tells where the request ends.
    pub(super) const fn is_chunked(&self) -> bool {
        self.body.is_chunked()
    }

    /// Whether the next request cannot be told from this one.
    pub(super) const fn is_broken(&self) -> bool {
        matches!(self.extent, Extent::Broken)
    }

    /// Lets the far end learn that the client has gone, behind all that it has said before. False if that is done, or
    /// there is no room yet.
    pub(super) fn hang_up(&mut self, now: Instant) -> bool {
        let is_news = !self.is_parting && !self.is_silent && self.pipe.room(now) > 0;
        if is_news {
            self.is_parting = true;
            self.pipe.end(Ending::Fin, now);
        }
        is_news
    }

    /// What goes to the far end now. Returns how many slices there are.
    pub(super) fn arrived<'u>(&'u self, now: Instant, slices: &mut [IoSlice<'u>]) -> usize {
        if self.repeated.is_empty() {
            return self.pipe.arrived(now, slices);
        }
        slices[0] = IoSlice::new(&self.repeated);
        1
    }

    /// Notes that so many bytes of it have gone.
    pub(super) fn gone(&mut self, count: usize) {
        let Self { repeated, pipe, retry, .. } = self;
        if repeated.is_empty() {
            pipe.take(count, |bytes| {
                if let Some(retry) = retry {
                    retry.keep(bytes);
                }
            });
        } else {
            repeated.advance(count);
        }
    }

    /// Whether all of the request has gone to the far end.
    pub(super) fn is_through(&self) -> bool {
        self.extent != Extent::Part && self.pipe.is_empty() && self.repeated.is_empty()
    }

    /// Loses what is under way.
    pub(super) fn clear(&mut self) {
        self.repeated.clear();
        self.pipe.clear();
    }

    /// Begins to send the request again, once the first answer has been thrown away and the whole request is known.
    pub(super) fn begin_again(&mut self) -> Option<Again> {
        let is_known = self.is_through();
        let retry = self.retry.take_if(|retry| retry.is_answered() && is_known)?;
        let again = if retry.needs_connection() { Again::OnNewConnection } else { Again::OnSameConnection };
        self.repeated = retry.again();
        Some(again)
    }
}

/// Where a request is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    OnSameConnection,
    OnNewConnection,
}

fn sip(faults: &Faults) -> Sip {
    Sip::new(faults.slow_reader.and_then(|taken| taken.up))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::lab::relay::words;

    /// The way up for the first request in the input.
    fn up(input: &mut BytesMut) -> Up {
        let request = Request::read(input).expect("a good request").expect("a whole request");
        let conditions = Conditions { faults: Arc::default(), ..Conditions::healthy() };
        let far = Far::middlebox(words::bad_gateway());
        Up::new(&request, &far, true, &conditions, &Luck::of(&conditions))
    }

    fn sent(up: &mut Up) -> String {
        let (mut sent, now) = (Vec::new(), Instant::now());
        loop {
            let mut slices = [IoSlice::new(&[])];
            if up.arrived(now, &mut slices) == 0 {
                return String::from_utf8(sent).expect("text");
            }
            sent.extend_from_slice(&slices[0]);
            let size = slices[0].len();
            up.gone(size);
        }
    }

    #[track_caller]
    fn check(wire: &str, expected: &str, left: &str) {
        let mut input = BytesMut::from(wire);
        let mut up = up(&mut input);
        while up.take(&mut input, Instant::now()) {}
        assert_eq!(sent(&mut up), expected);
        assert_eq!(input, left, "what belongs to the next request stays");
        assert!(up.is_through());
    }

    #[test]
    fn a_request_goes_up_to_its_own_last_byte() {
        let head = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
        check(&format!("{head}bodyGET"), &format!("{head}body"), "GET");
        check("GET / HTTP/1.1\r\n\r\nGET", "GET / HTTP/1.1\r\n\r\n", "GET");
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("{head}04;x\r\nbody\r\n0\r\nA: b\r\n\r\nGET"), &format!("{head}4\r\nbody\r\n0\r\n\r\n"), "GET");
    }

    #[test]
    fn a_tunnel_takes_everything() {
        let mut input = BytesMut::from("GET / HTTP/1.1\r\n\r\nframes");
        let mut up = up(&mut input);
        assert!(!up.take(&mut input, Instant::now()), "before the answer they wait");
        up.become_tunnel();
        assert!(up.take(&mut input, Instant::now()));
        assert!(sent(&mut up).ends_with("\r\n\r\nframes"));
    }

    #[test]
    fn chunks_that_are_none_break_it() {
        let mut input = BytesMut::from("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnone");
        let mut up = up(&mut input);
        assert!(up.take(&mut input, Instant::now()));
        assert!(up.is_broken());
        assert!(!up.take(&mut input, Instant::now()), "once is enough");
    }

    #[test]
    fn who_goes_away_is_missed_after_what_was_said() {
        let mut input = BytesMut::from("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
        let (mut up, now) = (up(&mut input), Instant::now());
        assert!(up.take(&mut input, now));
        assert!(up.hang_up(now));
        assert!(!up.hang_up(now), "once is enough");
        assert!(sent(&mut up).ends_with("body"));
        assert_eq!(up.pipe.take_end(now), Some(Ending::Fin));
    }

    #[test]
    fn in_silence_everything_is_lost() {
        let mut input = BytesMut::from("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
        let mut up = up(&mut input);
        up.is_silent = true;
        assert!(!up.take(&mut input, Instant::now()));
        assert!(input.is_empty());
    }
}
