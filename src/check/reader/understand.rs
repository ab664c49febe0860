//! What came, as the profile understands it: pure functions.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Heard, Message, Told};
use crate::check::{
    json,
    profile::{Place, Subscribe},
    wire::{event_stream::Block, http::Answer},
};

/// What came is not what the profile says; this is why, for the end of a sentence.
pub type Misunderstood = String;

/// A WebSocket message, or a line of a stream.
pub fn text(subscribe: &Subscribe, raw: Bytes) -> Result<Told, Misunderstood> {
    let Some(Place::Json(data)) = &subscribe.data else {
        return Ok(whole(&raw));
    };
    let whole = parse(&raw, data)?;
    let mut told = item(subscribe, data, whole, raw.clone());
    told.position = told.position.or_else(|| in_whole(subscribe.cursor.as_ref(), whole));
    Ok(told)
}

/// What is a message as it is.
fn whole(raw: &Bytes) -> Told {
    let message = Message { data: raw.to_vec(), cursor: None, raw: raw.clone() };
    Told { heard: Heard::Message(message), position: None }
}

/// A block of an event stream. `None` if nothing is dispatched and no position is told.
pub fn block(subscribe: &Subscribe, block: &Block) -> Result<Option<Told>, Misunderstood> {
    let meaning = block.meaning();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (id, event) = (meaning.id.map(text), meaning.event.map(text));
    // An id is a position even where it belongs to no message (HTML §9.2.6).
    let position = id.clone().filter(|_| subscribe.id == Some(Place::EventId));
    let raw = block.raw.clone();
    let Some(data) = meaning.data else {
        return Ok(position.map(|position| Told { heard: Heard::Other(raw), position: Some(position) }));
    };
    let is_event = |place: &Option<Place>| matches!(place, Some(Place::Event(name)) if event.as_deref() == Some(name));
    let heard = if is_event(&subscribe.gap) {
        let resume = match &subscribe.resume {
            Some(place @ Place::Json(_)) => json::parse(&data).ok().and_then(|whole| in_whole(Some(place), whole)),
            _ => id,
        };
        let position = resume.clone();
        return Ok(Some(Told { heard: Heard::Gap { resume, raw }, position }));
    } else if is_event(&subscribe.heartbeat) {
        Heard::Alive
    } else if is_event(&subscribe.hello) || !is_message(subscribe, event.as_deref()) {
        Heard::Other(raw)
    } else if let Some(Place::Json(path)) = &subscribe.data {
        let told = item(subscribe, path, parse(&data, path)?, raw);
        return Ok(Some(Told { heard: told.heard, position: told.position.or(position) }));
    } else {
        Heard::Message(Message { data, cursor: position.clone(), raw })
    };
    Ok(Some(Told { heard, position }))
}

/// Whether an event of this type is a message. A page that listens for messages hears those without a type and those of
/// the type `message` (HTML §9.2.6).
fn is_message(subscribe: &Subscribe, event: Option<&str>) -> bool {
    match &subscribe.event {
        Some(wanted) => event == Some(wanted),
        None => matches!(event, None | Some("" | "message")),
    }
}

/// The answer to a poll: what it tells, and the position behind all of it.
pub fn answer(subscribe: &Subscribe, answer: &Answer) -> Result<(Vec<Told>, Option<String>), Misunderstood> {
    let position = position_of(subscribe, answer);
    let body = &answer.body;
    let mut told = match &subscribe.data {
        _ if answer.head.status != 200 => Vec::new(),
        Some(Place::Json(data)) => {
            let whole = parse(body, data)?;
            let items = data.items(whole).ok_or_else(|| format!("it has no list at {data}"))?;
            items
                .into_iter()
                .map(|found| item(subscribe, data, found, body.slice_ref(found.get().as_bytes())))
                .collect()
        }
        // An empty body with a position of its own is an empty message; without one, it is the end of a wait.
        _ if body.is_empty() && position.is_none() => Vec::new(),
        _ => vec![whole(body)],
    };
    match told.last_mut() {
        None => told.push(Told { heard: Heard::Alive, position: position.clone() }),
        Some(last) => {
            // The last message of an answer is at the answer's position, whether or not it says so itself.
            last.position = last.position.take().or_else(|| position.clone());
        }
    }
    Ok((told, position))
}

/// The position that a poll's answer tells.
fn position_of(subscribe: &Subscribe, answer: &Answer) -> Option<String> {
    match subscribe.cursor.as_ref()? {
        Place::Header(name) => answer.head.field(name).map(str::to_owned),
        Place::Validators => {
            let validators = [("If-Modified-Since", "last-modified"), ("If-None-Match", "etag")];
            let fields = validators.into_iter().filter_map(|(ask, told)| Some((ask, answer.head.field(told)?)));
            let lines: Vec<String> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
            (!lines.is_empty()).then(|| lines.join("\r\n"))
        }
        place => in_whole(Some(place), json::parse(&answer.body).ok()?),
    }
}

/// One event in JSON: what it is, by the first of the profile's paths that leads anywhere.
fn item(subscribe: &Subscribe, data: &json::Path, item: &RawValue, raw: Bytes) -> Told {
    let find = |place: &Option<Place>| match place {
        Some(Place::Json(path)) if path.shares_items_with(data) => path.in_item(item),
        _ => None,
    };
    let cursor = |place: &Option<Place>| find(place).filter(|value| value.get() != "null").map(json::text_of);
    if let Some(data) = data.in_item(item) {
        let cursor = cursor(&subscribe.id);
        let message = Message { data: json::text_of(data).into_bytes(), cursor: cursor.clone(), raw };
        return Told { heard: Heard::Message(message), position: cursor };
    }
    if find(&subscribe.gap).is_some() {
        let resume = cursor(&subscribe.resume);
        return Told { heard: Heard::Gap { resume: resume.clone(), raw }, position: resume };
    }
    let heard = if find(&subscribe.heartbeat).is_some() { Heard::Alive } else { Heard::Other(raw) };
    Told { heard, position: None }
}

fn in_whole(place: Option<&Place>, whole: &RawValue) -> Option<String> {
    let Some(Place::Json(path)) = place else { return None };
    path.find(whole).filter(|value| value.get() != "null").map(json::text_of)
}

fn parse<'a>(bytes: &'a [u8], data: &json::Path) -> Result<&'a RawValue, Misunderstood> {
    json::parse(bytes).map_err(|error| format!("it is not JSON ({error}), though the profile finds messages at {data}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{profile::Profile, transport::Transport, wire::http::Head};

    fn subscribe(profile: &str, transport: Transport) -> Subscribe {
        Profile::load(profile, &[]).expect("a profile").subscribe(transport).expect("a transport").clone()
    }

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn message(data: &str, cursor: &str, raw: &str) -> Heard {
        Heard::Message(Message { data: data.into(), cursor: Some(cursor.to_owned()), raw: bytes(raw) })
    }

    #[test]
    fn a_json_frame_is_a_message_a_gap_a_heartbeat_or_something_else() {
        let fallcast = subscribe("fallcast", Transport::WebSocket);
        let hear = |json: &str| text(&fallcast, bytes(json)).expect("understood");
        let json = r#"{"message":{"id":"k.7","data":"a\nb"}}"#;
        assert_eq!(hear(json), Told { heard: message("a\nb", "k.7", json), position: Some("k.7".to_owned()) });
        let json = r#"{"gap":{"after":"k.1","resume":"k.5"}}"#;
        let gap = Heard::Gap { resume: Some("k.5".to_owned()), raw: bytes(json) };
        assert_eq!(hear(json), Told { heard: gap, position: Some("k.5".to_owned()) });
        assert_eq!(hear(r#"{"heartbeat":{}}"#), Told { heard: Heard::Alive, position: None });
        let json = r#"{"hello":{"cursor":"k.0"}}"#;
        assert_eq!(hear(json), Told { heard: Heard::Other(bytes(json)), position: Some("k.0".to_owned()) });
        assert!(text(&fallcast, bytes("hello")).expect_err("no JSON").contains("message.data"));
    }

    #[test]
    fn without_a_place_for_data_everything_is_a_message() {
        let plain = subscribe("websocket", Transport::WebSocket);
        let expected = Heard::Message(Message { data: b"{".to_vec(), cursor: None, raw: bytes("{") });
        assert_eq!(text(&plain, bytes("{")).map(|told| told.heard), Ok(expected));
    }

    #[test]
    fn a_block_is_a_message_a_gap_or_a_position() {
        let fallcast = subscribe("fallcast", Transport::Sse);
        let hear = |raw: &str| block(&fallcast, &Block { raw: bytes(raw) }).expect("understood");
        let raw = "id: k.7\ndata: a\ndata: b\n\n";
        assert_eq!(hear(raw), Some(Told { heard: message("a\nb", "k.7", raw), position: Some("k.7".to_owned()) }));
        let raw = "event: gap\nid: k.5\ndata: {}\n\n";
        let gap = Heard::Gap { resume: Some("k.5".to_owned()), raw: bytes(raw) };
        assert_eq!(hear(raw), Some(Told { heard: gap, position: Some("k.5".to_owned()) }));
        let raw = "event: hello\nid: k.0\ndata: {}\n\n";
        assert_eq!(hear(raw), Some(Told { heard: Heard::Other(bytes(raw)), position: Some("k.0".to_owned()) }));
        let raw = "event: chat\ndata: a\n\n";
        assert_eq!(hear(raw).map(|told| told.heard), Some(Heard::Other(bytes(raw))));
        let typed = Subscribe { event: Some("chat".to_owned()), ..fallcast.clone() };
        let told = block(&typed, &Block { raw: bytes(raw) }).expect("understood");
        assert!(matches!(told.map(|told| told.heard), Some(Heard::Message(_))));
        assert_eq!(hear("id: k.9\n\n").and_then(|told| told.position), Some("k.9".to_owned()));
        assert_eq!(hear("\n"), None);
    }

    fn polled(subscribe: &Subscribe, status: u16, fields: &[(&str, &str)], body: &str) -> (Vec<Told>, Option<String>) {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let head = Head { status, reason: String::new(), version: 1, fields, raw: Bytes::new() };
        answer(subscribe, &Answer { head, body: bytes(body), line: 1 }).expect("understood")
    }

    #[test]
    fn an_answer_tells_its_messages_in_their_order_and_a_position() {
        let fallcast = subscribe("fallcast", Transport::LongPoll);
        let body = r#"{"cursor":"k.8","events":[{"message":{"id":"k.7","data":"a"}},{"gap":{"resume":"k.8"}}]}"#;
        let (told, position) = polled(&fallcast, 200, &[], body);
        assert_eq!(told[0].heard, message("a", "k.7", r#"{"message":{"id":"k.7","data":"a"}}"#));
        assert!(matches!(&told[1].heard, Heard::Gap { resume: Some(resume), .. } if resume == "k.8"));
        assert_eq!(position, Some("k.8".to_owned()));
        let (told, _) = polled(&fallcast, 200, &[], r#"{"cursor":"k.8","events":[]}"#);
        assert_eq!(told, [Told { heard: Heard::Alive, position: Some("k.8".to_owned()) }]);
    }

    #[test]
    fn only_the_last_message_of_an_answer_knows_the_position_if_none_has_a_cursor() {
        let simple = subscribe("long-poll", Transport::LongPoll);
        let (told, _) = polled(&simple, 200, &[], r#"{"cursor":2,"messages":["a","b"]}"#);
        assert_eq!(told.iter().map(|told| told.position.clone()).collect::<Vec<_>>(), [None, Some("2".to_owned())]);
    }

    #[test]
    fn validators_are_a_position_that_is_sent_back_as_fields() {
        let nchan = subscribe("nchan", Transport::LongPoll);
        let fields = [("Last-Modified", "Sat, 21 Nov 2026"), ("Etag", "0")];
        let (told, position) = polled(&nchan, 200, &fields, "a");
        assert_eq!(position, Some("If-Modified-Since: Sat, 21 Nov 2026\r\nIf-None-Match: 0".to_owned()));
        assert_eq!(told.len(), 1);
        assert_eq!(polled(&nchan, 304, &[], "").0[0].heard, Heard::Alive);
        assert!(matches!(polled(&nchan, 200, &fields, "").0[0].heard, Heard::Message(_)));
        assert_eq!(polled(&nchan, 200, &[], "").0[0].heard, Heard::Alive);
    }
}
