//! `publish`: nothing is published twice by repetition, and what is refused is not published at all.

use futures_util::future::try_join_all;

use super::{Check, Running, Scope};
use crate::check::{
    case::Case,
    profile::Post,
    publisher::Publisher,
    reader::{After, Reader},
    subject::Channel,
    template::Template,
    trace::escape,
    transport::Transport,
    verdict::{Fault, Proof, Property},
    wire::http::Answer,
};

const CHAPTER: &str = "/book/protocol.html#publishing";

static SAME_KEY: Property = Property {
    id: "publish.same-key",
    promise: "The same publication with the same key again gets the first answer, and nothing is published twice.",
    chapter: "/book/falling-back.html#publishing-exactly-once",
};

static OTHER_BODY: Property = Property {
    id: "publish.other-body",
    promise: "Another message under a key that is in use is refused, and is not published.",
    chapter: "/book/falling-back.html#publishing-exactly-once",
};

static CONCURRENT: Property = Property {
    id: "publish.concurrent",
    promise: "Of publications with one key that arrive at the same time, one is published, and all get its answer.",
    chapter: "/book/falling-back.html#publishing-exactly-once",
};

static LARGEST: Property = Property {
    id: "publish.largest",
    promise: "A message of the largest size that is promised is published whole.",
    chapter: CHAPTER,
};

static TOO_LARGE: Property = Property {
    id: "publish.too-large",
    promise: "A message that is one byte larger is refused, and no part of it is published.",
    chapter: CHAPTER,
};

static FOREIGN_ORIGIN: Property = Property {
    id: "publish.foreign-origin",
    promise: "A publication by a page of another origin is refused, and is not published: CORS alone would only hide the \
              answer.",
    chapter: CHAPTER,
};

static BAD_JSON: Property = Property {
    id: "publish.bad-json",
    promise: "What is declared as JSON and is none is refused, and is not published.",
    chapter: "/book/protocol.html#data",
};

/// See the module.
pub static CHECK: Check = Check {
    name: "publish",
    about: "nothing is published twice by repetition, and what is refused is not published",
    scope: Scope::Once,
    properties: &[&SAME_KEY, &OTHER_BODY, &CONCURRENT, &LARGEST, &TOO_LARGE, &FOREIGN_ORIGIN, &BAD_JSON],
    run,
};

fn run<'a>(case: &'a Case<'a>) -> Running<'a> {
    Box::pin(async move {
        if case.subject.profile.publish.is_none() {
            return case.skip_the_rest("the profile has no [publish]: nothing is published by requests");
        }
        case.prove(&SAME_KEY, same_key(case)).await;
        case.prove(&OTHER_BODY, other_body(case)).await;
        case.prove(&CONCURRENT, concurrent(case)).await;
        case.prove(&LARGEST, largest(case)).await;
        case.prove(&TOO_LARGE, too_large(case)).await;
        case.prove(&FOREIGN_ORIGIN, foreign_origin(case)).await;
        case.prove(&BAD_JSON, bad_json(case)).await;
    })
}

/// A channel, somebody who listens to it, and somebody who publishes.
struct Scene {
    channel: Channel,
    reader: Reader,
    publisher: Publisher,
}

/// On which transport to listen: first the one that has least to go wrong.
const LISTENING: [Transport; 4] = [Transport::Sse, Transport::Stream, Transport::WebSocket, Transport::LongPoll];

impl Scene {
    async fn set(case: &Case<'_>) -> Proof<Self> {
        let there = case.subject.transports();
        let transport = LISTENING.into_iter().find(|transport| there.contains(transport));
        let transport = transport.ok_or_else(|| Fault::skipped("there is no transport to listen on"))?;
        let channel = case.subject.channel();
        let reader = Reader::open(case, transport, &channel, &After::End).await?;
        let publisher = Publisher::open(case, &channel).await?;
        Ok(Self { channel, reader, publisher })
    }

    fn post_of(case: &Case<'_>) -> Proof<Post> {
        let post = case.subject.profile.publish.clone();
        post.ok_or_else(|| Fault::skipped("the profile has no [publish]"))
    }

    /// Publishes an end, and expects that exactly these messages are heard before it.
    async fn expect(mut self, case: &Case<'_>, expected: &[String]) -> Proof {
        let end = self.channel.message();
        self.publisher.publish(&end).await?;
        for wanted in expected.iter().chain([&end]) {
            let heard = loop {
                let heard = self.reader.any_message(case, &short(wanted.as_bytes())).await?.data;
                if !self.channel.is_straggler(&heard) {
                    break heard;
                }
            };
            if heard != wanted.as_bytes() {
                let says = format!("expected to hear {} and heard {}", short(wanted.as_bytes()), short(&heard));
                return Err(Fault::violated(says, [self.publisher.lines(), self.reader.lines()].concat()));
            }
        }
        Ok(())
    }
}

fn short(data: &[u8]) -> String {
    if data.len() <= 40 {
        return format!("\"{}\"", escape(data));
    }
    format!("\"{} …\" ({} bytes)", escape(&data[..32]), data.len())
}

/// The field that carries a key, and a key.
fn key_field(case: &Case<'_>) -> Proof<String> {
    let header = Scene::post_of(case)?.key_header;
    let header = header.ok_or_else(|| Fault::skipped("the profile names no `key-header`"))?;
    Ok(format!("{header}: check-{:08x}", case.roll(|dice| dice.u32(..))))
}

/// Insists on a good answer.
fn accepted(answer: &Answer) -> Proof {
    if (200..300).contains(&answer.head.status) {
        return Ok(());
    }
    let says = format!("the publication is answered with {} instead of a status from 200 to 299", answer.head.says());
    Err(Fault::violated(says, [answer.line]))
}

/// Insists on a refusal: with this status, or with any that says so.
fn refused(answer: &Answer, status: Option<u16>, what: &str) -> Proof {
    let found = answer.head.status;
    let (is_good, wanted) = match status {
        Some(status) => (found == status, status.to_string()),
        None => ((400..500).contains(&found), "a status from 400 to 499".to_owned()),
    };
    if is_good {
        return Ok(());
    }
    Err(Fault::violated(format!("{what} is answered with {} instead of {wanted}", answer.head.says()), [answer.line]))
}

async fn same_key(case: &Case<'_>) -> Proof {
    let key = key_field(case)?;
    let mut scene = Scene::set(case).await?;
    let message = scene.channel.message();
    let first = scene.publisher.post(message.as_bytes(), std::slice::from_ref(&key)).await?;
    accepted(&first)?;
    let again = scene.publisher.post(message.as_bytes(), &[key]).await?;
    accepted(&again)?;
    same_id(&scene.publisher, &first, &again)?;
    scene.expect(case, &[message]).await
}

/// Two answers to one publication tell one id, if they tell any.
fn same_id(publisher: &Publisher, first: &Answer, other: &Answer) -> Proof {
    let (first_id, other_id) = (publisher.id_in(first), publisher.id_in(other));
    if first_id == other_id {
        return Ok(());
    }
    let told = |id: Option<String>| id.unwrap_or_else(|| "none".to_owned());
    let says = format!("one key got the ids {} and {}", told(first_id), told(other_id));
    Err(Fault::violated(says, [first.line, other.line]))
}

async fn other_body(case: &Case<'_>) -> Proof {
    let key = key_field(case)?;
    let status = Scene::post_of(case)?.key_conflict;
    let mut scene = Scene::set(case).await?;
    let (message, other) = (scene.channel.message(), scene.channel.message());
    accepted(&scene.publisher.post(message.as_bytes(), std::slice::from_ref(&key)).await?)?;
    let answer = scene.publisher.post(other.as_bytes(), &[key]).await?;
    refused(&answer, status, "another message under the same key")?;
    scene.expect(case, &[message]).await
}

const AT_ONCE: usize = 6;

async fn concurrent(case: &Case<'_>) -> Proof {
    let key = key_field(case)?;
    let scene = Scene::set(case).await?;
    let message = scene.channel.message();
    let opening = (0..AT_ONCE).map(|_| Publisher::open(case, &scene.channel));
    let mut publishers = try_join_all(opening).await?;
    let posts = publishers.iter_mut().map(|publisher| publisher.post(message.as_bytes(), std::slice::from_ref(&key)));
    let answers = try_join_all(posts).await?;
    for answer in &answers {
        accepted(answer)?;
        same_id(&scene.publisher, &answers[0], answer)?;
    }
    scene.expect(case, &[message]).await
}

fn max_bytes(case: &Case<'_>) -> Proof<usize> {
    let max_bytes = Scene::post_of(case)?.max_bytes;
    max_bytes.ok_or_else(|| Fault::skipped("the profile names no `max-bytes` in [publish]"))
}

/// A message of this size that begins with its name.
fn padded(name: &str, size: usize) -> String {
    format!("{name} {}", "x".repeat(size.saturating_sub(name.len() + 1)))
}

async fn largest(case: &Case<'_>) -> Proof {
    let size = max_bytes(case)?;
    let mut scene = Scene::set(case).await?;
    let message = padded(&scene.channel.message(), size);
    let answer = scene.publisher.post(message.as_bytes(), &[]).await?;
    accepted(&answer)?;
    scene.expect(case, &[message]).await
}

async fn too_large(case: &Case<'_>) -> Proof {
    let (size, status) = (max_bytes(case)? + 1, Scene::post_of(case)?.too_large);
    let mut scene = Scene::set(case).await?;
    let message = padded(&scene.channel.message(), size);
    let answer = scene.publisher.post(message.as_bytes(), &[]).await?;
    refused(&answer, status, &format!("a message of {} bytes", message.len()))?;
    scene.expect(case, &[]).await
}

async fn foreign_origin(case: &Case<'_>) -> Proof {
    let status = Scene::post_of(case)?.foreign_origin;
    let status = status.ok_or_else(|| Fault::skipped("the profile names no `foreign-origin` status in [publish]"))?;
    let mut scene = Scene::set(case).await?;
    let message = scene.channel.message();
    let origin = "Origin: http://attacker.example".to_owned();
    let answer = scene.publisher.post(message.as_bytes(), &[origin]).await?;
    refused(&answer, Some(status), "a publication by a page of http://attacker.example")?;
    scene.expect(case, &[]).await
}

async fn bad_json(case: &Case<'_>) -> Proof {
    let post = Scene::post_of(case)?;
    let status = post.bad_json.ok_or_else(|| Fault::skipped("the profile names no `bad-json` status in [publish]"))?;
    if post.body != Template::default() {
        return Err(Fault::skipped("the profile wraps messages in a body of its own"));
    }
    let mut scene = Scene::set(case).await?;
    let kind = "Content-Type: application/json".to_owned();
    let answer = scene.publisher.post(b"{\"check\": ", &[kind]).await?;
    refused(&answer, Some(status), "JSON that breaks off")?;
    scene.expect(case, &[]).await
}
