//! What publishes: requests on a connection that is kept, or messages over a WebSocket.

use tokio::time::Instant;

use super::{
    case::Case,
    json,
    profile::{Place, Post, Say},
    subject::{Channel, Subject},
    template,
    trace::{LineNumber, Trace},
    verdict::{Fault, Proof},
    wire::{
        http::{Answer, Request, read_answer},
        line::Line,
        websocket::{Draft, WebSocket},
    },
};

/// What the server says to a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The message's cursor, if the answer tells it.
    pub id: Option<String>,
}

/// A publisher on one channel.
#[derive(Debug)]
pub struct Publisher {
    subject: Subject,
    trace: Trace,
    channel: String,
    way: Way,
    lines: Vec<LineNumber>,
}

#[derive(Debug)]
enum Way {
    /// By requests, over a connection that is kept if the server keeps it.
    Requests(Box<Post>, Option<Line>),
    /// By messages over a WebSocket. What comes back is not read.
    Messages(Say, Box<WebSocket>),
}

impl Publisher {
    /// Gets ready to publish on this channel: by requests if the profile knows how, otherwise over a WebSocket.
    ///
    /// # Errors
    /// The WebSocket does not open.
    pub async fn open(case: &Case<'_>, channel: &Channel) -> Result<Self, Fault> {
        if case.subject.cannot_publish() {
            return Err(Fault::skipped("nothing can be published (see reach.publish)"));
        }
        let (subject, trace, name) = (case.subject.clone(), case.trace.clone(), channel.name.clone());
        let (way, lines) = match (&case.subject.profile.publish, &case.subject.profile.publish_websocket) {
            (Some(post), _) => (Way::Requests(Box::new(post.clone()), None), Vec::new()),
            (None, Some(say)) => {
                let (target, fields) = (say.path.target(&name, None, b""), template::fields(&say.headers, &name, None));
                let websocket = WebSocket::open(case, &target, &fields).await?;
                let lines = vec![websocket.line.number()];
                (Way::Messages(say.clone(), Box::new(websocket)), lines)
            }
            (None, None) => return Err(Fault::skipped("the profile describes no way to publish")),
        };
        Ok(Self { subject, trace, channel: name, way, lines })
    }

    /// Publishes a message, and waits for the server's answer if the way has answers.
    ///
    /// # Errors
    /// It is refused.
    pub async fn publish(&mut self, data: impl AsRef<[u8]>) -> Proof<Receipt> {
        let data = data.as_ref();
        if let Way::Messages(say, websocket) = &mut self.way {
            // What the server sends to this connection too is in nobody's way.
            websocket.line.drain();
            let text = say.message.text(&self.channel, data);
            let number = websocket.line.number();
            let sent = websocket.send(Draft::text(text)).await;
            sent.map_err(|stop| Fault::violated(format!("a message cannot be published: {}", stop.says()), [number]))?;
            return Ok(Receipt::default());
        }
        let answer = self.post(data, &[]).await?;
        if !(200..300).contains(&answer.head.status) {
            let says =
                format!("a publication is answered with {} instead of a status from 200 to 299", answer.head.says());
            return Err(Fault::violated(says, [answer.line]));
        }
        Ok(Receipt { id: self.id_in(&answer) })
    }

    /// Publishes by a request with further fields, and returns the answer, whatever it is. A field of the same name as
    /// one of the profile takes its place.
    ///
    /// # Errors
    /// There is no answer, or the profile publishes over a WebSocket alone.
    pub async fn post(&mut self, data: &[u8], fields: &[String]) -> Proof<Answer> {
        let request = self.request(data, fields)?;
        let bytes = request.bytes(&self.subject);
        let Way::Requests(_, kept) = &mut self.way else { return Err(no_requests()) };
        let usable = kept.take().and_then(|mut line| (!line.is_stopped()).then_some(line));
        let mut line = if let Some(line) = usable {
            line
        } else {
            let line = Line::open(&self.subject, &self.trace).await?;
            self.lines.push(line.number());
            line
        };
        // A server may answer and close before it has taken everything; what it says is read here.
        let _ = line.send(&bytes).await;
        let answer = read_answer(&mut line, Instant::now() + self.subject.patience()).await;
        let answer = answer.map_err(|unread| request.unanswered(&unread, line.number()))?;
        if !answer.head.closes() {
            *kept = Some(line);
        }
        Ok(answer)
    }

    fn request(&self, data: &[u8], further: &[String]) -> Proof<Request> {
        let Way::Requests(post, _) = &self.way else { return Err(no_requests()) };
        let name_of = |field: &str| field.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        let own = template::fields(&post.headers, &self.channel, None).into_iter();
        let own = own.chain([format!("Content-Type: {}", post.content_type)]);
        let own = own.filter(|field| further.iter().all(|other| name_of(other) != name_of(field)));
        let request = Request::new(&post.method, &post.path.target(&self.channel, None, data));
        let request = request.fields(own).fields(further.iter().cloned());
        Ok(request.body(post.body.body(&post.content_type, &self.channel, data)))
    }

    /// The cursor of a message that the answer to its publication tells.
    #[must_use]
    pub fn id_in(&self, answer: &Answer) -> Option<String> {
        let Way::Requests(post, _) = &self.way else { return None };
        match post.id.as_ref()? {
            Place::Header(name) => answer.head.field(name).map(str::to_owned),
            Place::Json(path) => path.find(json::parse(&answer.body).ok()?).map(json::text_of),
            _ => Some(String::from_utf8_lossy(answer.body.trim_ascii()).into_owned()),
        }
    }

    /// The connections that it has used, the newest last, at most the last two.
    #[must_use]
    pub fn lines(&self) -> Vec<LineNumber> {
        self.lines[self.lines.len().saturating_sub(2)..].to_vec()
    }
}

fn no_requests() -> Fault {
    Fault::skipped("the profile has no [publish]: there are no requests to publish with")
}
