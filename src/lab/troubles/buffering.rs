//! A proxy that buffers: it holds an answer, head included, until its buffer is full, or until the answer is whole.
//!
//! A full buffer passes as a block, and its end may lie in the middle of an event. The first one begins with the head.

use std::{collections::VecDeque, mem};

use bytes::{Bytes, BytesMut};

use super::count::Content;
use crate::lab::{
    faults::{Buffer, MAX_HELD},
    relay::Part,
};

/// How large gathered data grows, which is as large as what is read at once.
const BLOCK: usize = 8 * 1024;

/// Holds answers back.
#[derive(Debug, Default)]
pub struct Buffering {
    rule: Option<Buffer>,
    /// Whether the answer may be held at all, apart from what it asks for.
    is_holdable: bool,
    /// Whether the answer asks not to be held: `X-Accel-Buffering: no`.
    asks_to_pass: bool,
    held: VecDeque<Part>,
    bytes: usize,
}

impl Buffering {
    /// Changes the rule. What was held by the former one passes.
    pub fn set(&mut self, rule: Option<Buffer>, pass: &mut impl FnMut(Part)) {
        if self.rule != rule {
            self.rule = rule;
            self.release(pass);
        }
    }

    /// Takes a part of an answer and passes what need not be held.
    pub fn take(&mut self, part: Part, pass: &mut impl FnMut(Part)) {
        if let Part::Head(head) = &part {
            // After a handshake the connection is a tunnel, and there is no answer to hold any more.
            self.is_holdable = head.content != Content::Frames;
            self.asks_to_pass = head.asks_to_pass;
        }
        let Some(limit) = self.limit() else {
            self.release(pass);
            return pass(part);
        };
        let is_end = matches!(part, Part::End);
        self.bytes += part.size();
        self.hold(part);
        if is_end {
            self.release(pass);
        } else if self.bytes >= limit {
            self.pass_blocks(limit, pass);
        }
    }

    /// Holds a part. Small data is gathered: as it is, each piece would keep the whole block alive into which it was read.
    fn hold(&mut self, part: Part) {
        let part = match part {
            Part::Data(data) if data.len() < BLOCK / 2 => match self.held.back_mut() {
                Some(Part::Data(last)) if last.len() + data.len() <= BLOCK => {
                    *last = joined(mem::take(last), &data);
                    return;
                }
                _ => Part::Data(Bytes::copy_from_slice(&data)),
            },
            part => part,
        };
        self.held.push_back(part);
    }

    /// Passes what fills whole buffers. The rest waits.
    fn pass_blocks(&mut self, block: usize, pass: &mut impl FnMut(Part)) {
        let mut full = self.bytes - self.bytes % block;
        self.bytes %= block;
        while let Some(part) = self.held.pop_front() {
            match part {
                Part::Data(mut data) if data.len() > full => {
                    let rest = data.split_off(full);
                    if !data.is_empty() {
                        pass(Part::Data(data));
                    }
                    return self.held.push_front(Part::Data(rest));
                }
                part => {
                    full = full.saturating_sub(part.size());
                    pass(part);
                }
            }
        }
    }

    /// Drops what is held, but for the head: what a proxy does that gives an answer up.
    pub fn lose(&mut self, pass: &mut impl FnMut(Part)) {
        self.bytes = 0;
        self.held.drain(..).filter(|part| matches!(part, Part::Head(_))).for_each(pass);
    }

    /// Passes what is held.
    pub fn release(&mut self, pass: &mut impl FnMut(Part)) {
        self.bytes = 0;
        self.held.drain(..).for_each(pass);
    }

    /// How many bytes are held, if any are.
    fn limit(&self) -> Option<usize> {
        let rule = self.rule.filter(|_| self.is_holdable)?;
        let passes = rule.honor_accel && self.asks_to_pass;
        (!passes).then(|| rule.until_bytes.unwrap_or(MAX_HELD))
    }
}

/// Appends bytes, in place if nobody else holds on to what is there.
fn joined(data: Bytes, more: &[u8]) -> Bytes {
    let mut joined = data.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&*shared));
    joined.extend_from_slice(more);
    joined.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::relay::Head;

    const UNTIL_10: Buffer = Buffer { until_bytes: Some(10), honor_accel: false };
    const WHOLE: Buffer = Buffer { until_bytes: None, honor_accel: false };

    /// Lets parts through one after the other and tells how many pass with each.
    #[track_caller]
    fn check(rule: Option<Buffer>, head: Head, bodies: &[usize], expected: &[usize]) {
        let mut buffering = Buffering::default();
        buffering.set(rule, &mut |_| {});
        let data = bodies.iter().map(|&size| Part::Data(Bytes::from(vec![7; size])));
        let passed = [Part::Head(head)].into_iter().chain(data).chain([Part::End]).map(|part| {
            let mut passed = 0;
            buffering.take(part, &mut |_| passed += 1);
            passed
        });
        assert_eq!(passed.collect::<Vec<_>>(), expected, "{rule:?}");
    }

    #[test]
    fn without_a_rule_everything_passes() {
        check(None, Head::default(), &[5, 5], &[1, 1, 1, 1]);
    }

    #[test]
    fn a_buffer_passes_when_it_is_full_and_begins_to_fill_again() {
        check(Some(UNTIL_10), Head::default(), &[5, 5, 9, 20, 3], &[0, 0, 2, 0, 1, 1, 2]);
    }

    #[test]
    fn a_block_ends_where_the_buffer_does_and_the_first_one_begins_with_the_head() {
        let mut buffering = Buffering::default();
        buffering.set(Some(UNTIL_10), &mut |_| {});
        let head = Head { bytes: Bytes::from_static(b"HEAD"), ..Head::default() };
        let mut passed = Vec::new();
        for part in [Part::Head(head.clone()), Part::Data(Bytes::from_static(b"0123456789abcdefgh"))] {
            buffering.take(part, &mut |part| passed.push(part));
        }
        assert_eq!(passed, [Part::Head(head), Part::Data(Bytes::from_static(b"0123456789abcdef"))]);
    }

    #[test]
    fn an_answer_that_is_given_up_keeps_its_head() {
        let mut buffering = Buffering::default();
        buffering.set(Some(WHOLE), &mut |_| {});
        buffering.take(Part::Head(Head::default()), &mut |_| {});
        buffering.take(Part::Data(Bytes::from_static(b"abc")), &mut |_| {});
        let mut passed = Vec::new();
        buffering.lose(&mut |part| passed.push(part));
        assert_eq!(passed, [Part::Head(Head::default())]);
    }

    #[test]
    fn a_whole_answer_passes_when_it_ends() {
        check(Some(WHOLE), Head::default(), &[5, 5000, 5], &[0, 0, 0, 0, 4]);
    }

    #[test]
    fn small_data_is_gathered_and_does_not_keep_its_blocks_alive() {
        let mut buffering = Buffering::default();
        buffering.set(Some(WHOLE), &mut |_| {});
        buffering.take(Part::Head(Head::default()), &mut |_| {});
        let block = Bytes::from((0..BLOCK).map(|index| index.to_le_bytes()[0]).collect::<Vec<_>>());
        for start in (0..3000).step_by(3) {
            buffering.take(Part::Data(block.slice(start..start + 3)), &mut |_| {});
        }
        assert_eq!(buffering.held.len(), 2, "a head and data");
        assert!(block.is_unique());

        let mut passed = Vec::new();
        buffering.release(&mut |part| passed.push(part));
        assert_eq!(passed, [Part::Head(Head::default()), Part::Data(block.slice(..3000))]);
    }

    #[test]
    fn a_proxys_memory_ends_too() {
        check(Some(WHOLE), Head::default(), &[MAX_HELD - 1, 1, 5], &[0, 0, 3, 0, 2]);
    }

    #[test]
    fn an_answer_that_asks_to_pass_does_if_that_is_honored() {
        let head = || Head { asks_to_pass: true, ..Head::default() };
        check(Some(Buffer { honor_accel: true, ..UNTIL_10 }), head(), &[5], &[1, 1, 1]);
        check(Some(UNTIL_10), head(), &[5], &[0, 0, 3]);
    }

    #[test]
    fn a_tunnel_is_not_held() {
        check(Some(WHOLE), Head { status: 101, content: Content::Frames, ..Head::default() }, &[5], &[1, 1, 1]);
    }

    #[test]
    fn a_new_rule_frees_what_the_old_one_held() {
        let mut buffering = Buffering::default();
        buffering.set(Some(WHOLE), &mut |_| {});
        buffering.take(Part::Head(Head::default()), &mut |_| {});
        buffering.take(Part::Data(Bytes::from_static(b"abc")), &mut |_| {});
        let mut passed = Vec::new();
        buffering.set(Some(WHOLE), &mut |part| passed.push(part));
        assert_eq!(passed, []);
        buffering.set(None, &mut |part| passed.push(part));
        assert_eq!(passed, [Part::Head(Head::default()), Part::Data(Bytes::from_static(b"abc"))]);
    }
}
