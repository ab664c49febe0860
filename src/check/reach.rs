//! Whether the server has what the profile describes. It is asked once, before the checks, so that an address that is
//! wrong is one sentence and not a fault of each check.

use super::{
    case::Case,
    checks::{Check, Running, Scope},
    publisher::Publisher,
    reader::{After, Reader},
    transport::Transport,
    verdict::{Fault, Proof, Property},
    wire::{
        http::{Head, Unread},
        line::{Line, Stop},
    },
};

static SUBSCRIBE: Property = Property {
    id: "reach.subscribe",
    promise: "The address that the profile names lets one subscribe.",
    chapter: "/book/check.html",
};

static PUBLISH: Property = Property {
    id: "reach.publish",
    promise: "The address that the profile names lets one publish.",
    chapter: "/book/check.html",
};

/// Not one of the checks to choose from: it is in a report only if something is not there.
pub static CHECK: Check = Check {
    name: "reach",
    about: "the server has what the profile describes",
    scope: Scope::Once,
    properties: &[&SUBSCRIBE, &PUBLISH],
    run,
};

/// Tries to subscribe over the transport of the case; to publish, if it has none.
fn run<'a>(case: &'a Case<'a>) -> Running<'a> {
    Box::pin(async move {
        match case.transport_if_any() {
            Some(transport) => case.prove(&SUBSCRIBE, subscribe(case, transport)).await,
            None => case.prove(&PUBLISH, publish(case)).await,
        }
    })
}

/// Whether anybody takes a connection.
///
/// # Errors
/// Nobody does.
pub async fn connect(case: &Case<'_>) -> Proof {
    Line::open(case.subject, &case.trace).await.map(drop)
}

/// Whether a subscription is answered as its transport is. Silence is judged by the checks, and so are the details; only
/// an answer that is another altogether is judged here.
async fn subscribe(case: &Case<'_>, transport: Transport) -> Proof {
    let remedy = format!("say where it is with --set {transport}.path=/…, or leave it out with --transports");
    let channel = case.subject.channel();
    if transport == Transport::LongPoll {
        let reader = Reader::open(case, transport, &channel, &After::End).await;
        return reader.map(Reader::cut).map_err(|fault| with_remedy(fault, &remedy));
    }
    let (head, line) = Reader::ask_any(case, transport, &channel, &After::End).await?;
    let instead = match head {
        Ok(head) => instead_of_subscription(&head, transport),
        Err(Unread::Stopped(Stop::Late)) => None,
        Err(unread) => Some(unread.says()),
    };
    match instead {
        None => Ok(()),
        Some(instead) => {
            let fault =
                Fault::violated(format!("a subscription over {transport} is answered otherwise: {instead}"), [line]);
            Err(with_remedy(fault, &remedy))
        }
    }
}

/// What came in the place of a subscription, if this head does not begin one.
fn instead_of_subscription(head: &Head, transport: Transport) -> Option<String> {
    let wanted = if transport == Transport::WebSocket { 101 } else { 200 };
    if head.status != wanted {
        return Some(format!("{} instead of {wanted}", head.says()));
    }
    let is_page = head.field("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    (is_page && transport != Transport::WebSocket).then(|| "a page in HTML".to_owned())
}

async fn publish(case: &Case<'_>) -> Proof {
    let channel = case.subject.channel();
    let published = async {
        let mut publisher = Publisher::open(case, &channel).await?;
        publisher.publish(channel.message()).await.map(drop)
    };
    let remedy = "say how to publish with --set publish.path=/…, publish.method=…, publish.content-type=…, \
                  publish.body=…";
    published.await.map_err(|fault| with_remedy(fault, remedy))
}

fn with_remedy(fault: Fault, remedy: &str) -> Fault {
    match fault {
        Fault::Violated(mut violation) => {
            violation.says = format!("{}; {remedy}", violation.says);
            Fault::Violated(violation)
        }
        Fault::Skipped(reason) => Fault::Skipped(reason),
    }
}
