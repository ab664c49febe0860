//! How a server is asked: the addresses of its transports, with places for what differs.
//!
//! A template is a TOML file; those of some servers are built in. `{channel}` is the channel's name, `{after}` the cursor to
//! go on from, `{data}` the message.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::load::{Frame, Pattern, Publishing, Subscription, Transport, UPGRADE, Way, decode::CursorIn};
use crate::origin::Origin;

/// The templates that are built in, by name.
const PROFILES: [(&str, &str); 3] = [
    ("fallcast", include_str!("profiles/fallcast.toml")),
    ("fallcast-json", include_str!("profiles/fallcast-json.toml")),
    ("nchan", include_str!("profiles/nchan.toml")),
];

const CHANNEL: &str = "{channel}";
const AFTER: &str = "{after}";
const DATA: &str = "{data}";

/// Why a template cannot be followed.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// There is no such profile.
    #[error("{0:?} is no profile; there are {names}, or write a TOML file of your own", names = names())]
    UnknownProfile(String),
    /// It cannot be parsed.
    #[error("{name}: {source}")]
    Toml {
        /// The file or profile.
        name: String,
        /// What is wrong, and where.
        source: toml::de::Error,
    },
    /// The server has no such transport, as far as the template knows.
    #[error("the target {target} has no {transport}; its template describes {there}")]
    NoTransport {
        /// The target's name.
        target: String,
        /// What was asked for.
        transport: Transport,
        /// What there is.
        there: String,
    },
    /// Nothing can be published over a WebSocket.
    #[error("the target {0} cannot be published to over a WebSocket: its template has no [publish-websocket]")]
    NoWebSocketPublishing(String),
    /// A cursor is not where it is said to be.
    #[error("{0:?} is no place for a cursor; there are event-id, validators, and json:NAME for a member of this name")]
    Cursor(String),
}

fn names() -> String {
    PROFILES.map(|(name, _)| name).join(", ")
}

/// How a server is asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Template {
    /// Where the server is, if the file says so.
    pub url: Option<String>,
    publish: Post,
    publish_websocket: Option<Say>,
    websocket: Option<Subscribe>,
    sse: Option<Subscribe>,
    long_poll: Option<Subscribe>,
    short_poll: Option<Subscribe>,
    stream: Option<Subscribe>,
}

/// Publishing by a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Post {
    path: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default = "plain_text")]
    content_type: String,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default = "data")]
    body: String,
}

/// Publishing over a WebSocket.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Say {
    path: String,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default = "data")]
    message: String,
}

/// Subscribing by one transport.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Subscribe {
    path: String,
    /// Fields of the request. `{after}` alone stands for the fields that send validators back.
    #[serde(default)]
    headers: Vec<String>,
    /// Where the cursor is found.
    cursor: Option<String>,
    /// The cursor that asks for everything there is.
    start: Option<String>,
    /// The cursor that asks for what comes.
    #[serde(default)]
    end: String,
    /// WebSocket messages to send first.
    #[serde(default)]
    greetings: Vec<String>,
    /// WebSocket messages that want an answer, and the answers.
    #[serde(default)]
    replies: BTreeMap<String, String>,
}

fn post() -> String {
    "POST".to_owned()
}

fn plain_text() -> String {
    "text/plain".to_owned()
}

fn data() -> String {
    DATA.to_owned()
}

impl Template {
    /// A template that is built in.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn profile(name: &str) -> Result<Self, TemplateError> {
        let found = PROFILES.iter().find(|(profile, _)| *profile == name);
        let (_, text) = found.ok_or_else(|| TemplateError::UnknownProfile(name.to_owned()))?;
        Self::parse(name, text)
    }

    /// Whether a template of this name is built in.
    #[must_use]
    pub fn is_profile(name: &str) -> bool {
        PROFILES.iter().any(|(profile, _)| *profile == name)
    }

    /// A template in TOML; `name` is for errors.
    ///
    /// # Errors
    /// It is not what a template looks like.
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        let template: Self =
            toml::from_str(text).map_err(|source| TemplateError::Toml { name: name.to_owned(), source })?;
        template.subscribes().into_iter().try_for_each(|(_, subscribe)| subscribe.cursor_in().map(drop))?;
        Ok(template)
    }

    fn subscribes(&self) -> Vec<(&'static str, &Subscribe)> {
        let all = [
            ("websocket", &self.websocket),
            ("sse", &self.sse),
            ("long-poll", &self.long_poll),
            ("short-poll", &self.short_poll),
            ("stream", &self.stream),
        ];
        all.into_iter().filter_map(|(name, subscribe)| Some((name, subscribe.as_ref()?))).collect()
    }

    /// The names of the transports that it describes.
    #[must_use]
    pub fn transports(&self) -> Vec<&'static str> {
        self.subscribes().into_iter().map(|(name, _)| name).collect()
    }

    fn subscribe_by(&self, target: &str, transport: Transport) -> Result<&Subscribe, TemplateError> {
        let found = self.subscribes().into_iter().find(|(name, _)| *name == transport.name());
        found.map(|(_, subscribe)| subscribe).ok_or_else(|| TemplateError::NoTransport {
            target: target.to_owned(),
            transport,
            there: self.transports().join(", "),
        })
    }

    /// Makes sure that there is a transport, for a target of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn check(&self, target: &str, transport: Transport) -> Result<(), TemplateError> {
        self.subscribe_by(target, transport).map(drop)
    }

    /// How to subscribe at `origin`, over this way.
    ///
    /// # Errors
    /// The template does not know this transport.
    pub fn subscription(
        &self,
        target: &str,
        transport: Transport,
        origin: &Origin,
        channel: &str,
        way: &WayThere<'_>,
    ) -> Result<Subscription, TemplateError> {
        let subscribe = self.subscribe_by(target, transport)?;
        let path = with_link(&subscribe.path.replace(CHANNEL, channel), way.link);
        let mut headers: String = subscribe.headers.iter().map(|field| header_line(field)).collect();
        headers.extend(way.headers.iter().map(|field| header_line(field)));
        if transport == Transport::WebSocket {
            headers.push_str(UPGRADE);
        }
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", origin.host);
        Ok(Subscription {
            address: origin.address,
            transport,
            request: Pattern::new(&request, AFTER),
            from_start: subscribe.start.clone(),
            from_end: subscribe.end.clone(),
            cursor_in: subscribe.cursor_in()?,
            greetings: subscribe.greetings.clone(),
            replies: subscribe.replies.clone().into_iter().collect(),
        })
    }

    /// How to publish messages of `size` bytes by requests.
    #[must_use]
    pub fn post(&self, origin: &Origin, channel: &str, size: usize) -> Publishing {
        let Post { path, method, content_type, headers, body } = &self.publish;
        let path = path.replace(CHANNEL, channel);
        let body = body.replace(CHANNEL, channel);
        let length = if body.contains(DATA) { body.len() - DATA.len() + size } else { body.len() };
        let fields: String = headers.iter().map(|field| header_line(field)).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             {fields}\r\n{body}",
            origin.host
        );
        Publishing { address: origin.address, way: Way::Post(Pattern::new(&request, DATA)) }
    }

    /// How to publish over one WebSocket.
    ///
    /// # Errors
    /// The template does not know how.
    pub fn over_websocket(&self, target: &str, origin: &Origin, channel: &str) -> Result<Publishing, TemplateError> {
        let say = self.publish_websocket.as_ref();
        let say = say.ok_or_else(|| TemplateError::NoWebSocketPublishing(target.to_owned()))?;
        let path = say.path.replace(CHANNEL, channel);
        let fields: String = say.headers.iter().map(|field| header_line(field)).collect();
        let opening = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{fields}{UPGRADE}\r\n", origin.host).into_bytes();
        let frame = Frame::websocket(Pattern::new(&say.message.replace(CHANNEL, channel), DATA));
        Ok(Publishing { address: origin.address, way: Way::Connection { opening, is_websocket: true, frame } })
    }

    /// For `publish` and for each transport, the address with its places: what a report says of the target.
    #[must_use]
    pub fn describe(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<_, _> =
            self.subscribes().into_iter().map(|(name, subscribe)| (name.to_owned(), subscribe.path.clone())).collect();
        all.insert("publish".to_owned(), format!("{} {}", self.publish.method, self.publish.path));
        if let Some(say) = &self.publish_websocket {
            all.insert("publish-websocket".to_owned(), say.path.clone());
        }
        all
    }
}

/// What lies between a subscriber and its server, as far as requests tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct WayThere<'a> {
    /// Further fields of each request.
    pub headers: &'a [String],
    /// The link of the lab.
    pub link: Option<&'a str>,
}

impl Subscribe {
    fn cursor_in(&self) -> Result<CursorIn, TemplateError> {
        Ok(match self.cursor.as_deref() {
            None => CursorIn::Nothing,
            Some("event-id") => CursorIn::EventId,
            Some("validators") => CursorIn::Validators,
            Some(other) => match other.strip_prefix("json:").filter(|name| !name.is_empty()) {
                Some(name) => CursorIn::Member(name.to_owned()),
                None => return Err(TemplateError::Cursor(other.to_owned())),
            },
        })
    }
}

/// A field of a request as a line. The place of validators brings its own line ends.
fn header_line(field: &str) -> String {
    if field == AFTER { AFTER.to_owned() } else { format!("{field}\r\n") }
}

fn with_link(path: &str, link: Option<&str>) -> String {
    match link {
        None => path.to_owned(),
        Some(link) => format!("{path}{}link={link}", if path.contains('?') { '&' } else { '?' }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { address: ([127, 0, 0, 1], 8080).into(), host: "localhost:8080".to_owned() }
    }

    fn request(profile: &str, transport: &str, after: &str, way: &WayThere<'_>) -> String {
        let template = Template::profile(profile).expect("a profile");
        let transport = transport.parse().expect("a transport");
        let subscription = template.subscription("x", transport, &origin(), "c", way).expect("a subscription");
        let mut out = Vec::new();
        subscription.request.write(after.as_bytes(), &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_profiles_are_good() {
        for (name, _) in PROFILES {
            let template = Template::profile(name).expect("a profile");
            assert!(template.transports().contains(&"long-poll"), "{name}");
            assert!(template.describe().contains_key("publish"), "{name}");
        }
    }

    #[test]
    fn requests_are_exactly_these() {
        let direct = WayThere::default();
        assert_eq!(
            request("fallcast", "sse", "a.7", &direct),
            "GET /channels/c/sse?after=a.7 HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
        );
        assert_eq!(
            request("fallcast", "websocket", "end", &direct),
            format!("GET /channels/c/ws?after=end HTTP/1.1\r\nHost: localhost:8080\r\n{UPGRADE}\r\n")
        );
        assert_eq!(
            request("nchan", "long-poll", "If-None-Match: 0\r\n", &direct),
            "GET /sub/c HTTP/1.1\r\nHost: localhost:8080\r\nIf-None-Match: 0\r\n\r\n"
        );
        assert_eq!(request("nchan", "long-poll", "", &direct), "GET /sub/c HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
    }

    #[test]
    fn fields_and_link_are_added_to_every_request() {
        let headers = ["Cookie: a=b".to_owned()];
        let way = WayThere { headers: &headers, link: Some("slow") };
        assert_eq!(
            request("fallcast", "stream", "end", &way),
            "GET /channels/c/stream?after=end&link=slow HTTP/1.1\r\nHost: localhost:8080\r\nCookie: a=b\r\n\r\n"
        );
        assert!(request("nchan", "websocket", "", &way).starts_with("GET /sub/c?link=slow HTTP/1.1\r\n"));
    }

    #[test]
    fn a_publication_declares_the_length_of_its_body() {
        let template = r#"
            [publish]
            path = "/api"
            content-type = "application/json"
            headers = ["Authorization: apikey x"]
            body = '{"channel":"{channel}","data":"{data}"}'
        "#;
        let template = Template::parse("x", template).expect("a template");
        let Way::Post(pattern) = template.post(&origin(), "c", 5).way else { panic!("a POST") };
        let mut out = Vec::new();
        pattern.write(b"hello", &mut out);
        assert_eq!(
            String::from_utf8(out).expect("text"),
            "POST /api HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\
             Authorization: apikey x\r\n\r\n{\"channel\":\"c\",\"data\":\"hello\"}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_template_is_said() {
        let parse = |text: &str| Template::parse("mine.toml", text).map(drop).expect_err("a fault").to_string();
        assert!(parse("").contains("publish"));
        assert!(parse("[publish]\npath = '/p'\n[sse]\npath = '/s'\ncursor = 'here'").contains("json:NAME"));
        assert!(parse("[publish]\npath = '/p'\nport = 1").contains("port"));
        assert!(Template::profile("socket").expect_err("no profile").to_string().contains("nchan"));
        let nchan = Template::profile("nchan").expect("a profile");
        let fault = nchan.subscription("n", Transport::Stream, &origin(), "c", &WayThere::default());
        assert_eq!(
            fault.expect_err("no stream").to_string(),
            "the target n has no stream; its template describes websocket, sse, long-poll"
        );
    }
}
