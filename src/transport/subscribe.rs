//! What all subscriptions have in common: from a request to a position in a log, and to a stay in the room.

use std::{rc::Rc, sync::Arc, time::Instant};

use actix_web::{
    HttpRequest,
    http::{Version, header},
};

use crate::{
    channel::{Channel, ChannelName, ClientName, Cursor, Gap, Hello, MemberId, PROTOCOL_VERSION, Transport},
    delivery::{Exit, Hangup, PresenceFrom, Start, Subscription, Worker},
    guard::{Action, Place, Refusal, Ticket},
    wire::Framing,
};

use super::{problem::Problem, query::Wish, state::State};

/// A subscription that may be opened: who, where, from where on.
#[derive(Debug)]
pub struct Opened {
    /// The channel.
    pub channel: Arc<Channel>,
    /// The subscriber's secret name.
    pub client: ClientName,
    /// The subscriber's public name.
    pub member: MemberId,
    /// The position to begin behind.
    pub position: u64,
    /// The gap before that position, if there is one.
    pub gap: Option<Gap>,
    /// What the subscriber asked for.
    pub wish: Wish,
    /// The transport.
    pub transport: Transport,
    /// The subscription's place on its connection, where a connection carries several.
    pub place: Option<Arc<Place>>,
}

impl Opened {
    // ANCHOR: open
    /// Finds out where a subscription begins.
    ///
    /// # Errors
    /// Tells why there can be none.
    pub fn new(
        state: &State,
        request: &HttpRequest,
        name: &ChannelName,
        wish: Wish,
        transport: Transport,
    ) -> Result<Self, Problem> {
        let action = if transport == Transport::Websocket { Action::OpenWebSocket } else { Action::Read };
        state.decide(request, action)?;
        // Over HTTP/2 one connection carries many subscriptions, so they are bounded themselves.
        if state.hub.subscribers() >= state.guard.connections().max() {
            return Err(Refusal::TooManyConnections.into());
        }
        let place = match request.conn_data::<Ticket>().filter(|_| request.version() == Version::HTTP_2) {
            Some(ticket) => Some(Arc::new(ticket.place().ok_or(Refusal::TooManyOnConnection)?)),
            None => None,
        };
        let channel = state.hub.channel(name)?;
        let client = wish.client.clone().unwrap_or_else(ClientName::random);
        let (position, gap) = match channel.locate(&wish.after) {
            Ok(position) => (position, None),
            Err(gap) => (gap.resume.offset, Some(gap)),
        };
        if let Some(gap) = &gap {
            state.metrics.gap(transport, gap.reason);
        }
        Ok(Self { member: state.hub.member(&client), channel, client, position, gap, wish, transport, place })
    }
    // ANCHOR_END: open

    /// The event that opens the subscription.
    #[must_use]
    pub fn hello(&self, state: &State) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            cursor: self.asked_for(),
            head: self.channel.cursor(self.channel.head()),
            client: self.client.clone(),
            member: self.member,
            transport: self.transport,
            heartbeat_ms: millis(state.settings.pace.heartbeat),
            key_window_ms: millis(state.hub.limits().channel.keys.window),
        }
    }

    /// The position asked for: with a gap, the one that could not be continued.
    fn asked_for(&self) -> Option<Cursor> {
        match &self.gap {
            Some(gap) => gap.after.clone(),
            None => Some(self.channel.cursor(self.position)),
        }
    }

    /// Announces the subscriber for as long as the stay lives, if it is to be announced.
    ///
    /// Whoever gives a name is; a nameless WebSocket client is shown by its remote port, as the tutorials' chats do.
    #[must_use]
    pub fn announce(&self, state: &State, request: &HttpRequest) -> Option<Stay> {
        let port = || state.peer(request).and_then(|peer| peer.port().to_string().parse().ok());
        let shown_as = match (&self.wish.shown_as, self.transport) {
            (Some(name), _) => Some(name.clone()),
            (None, Transport::Websocket) => port(),
            (None, _) => None,
        }?;
        let (member, transport) = (self.member, self.transport);
        let number = self.channel.change_presence(|room| room.enter(member, shown_as, transport))?;
        Some(Stay { channel: Arc::clone(&self.channel), member, number })
    }

    /// Starts delivery.
    #[must_use]
    pub fn start(
        &self,
        worker: &Rc<Worker>,
        framing: Framing,
        opening: Vec<u8>,
        hangup: Option<Hangup>,
    ) -> Subscription {
        let start = Start {
            channel: Arc::clone(&self.channel),
            transport: self.transport,
            framing,
            position: self.position,
            opening: opening.into(),
            excluded: (!self.wish.echo).then_some(self.member),
            presence: if self.wish.presence { PresenceFrom::List } else { PresenceFrom::Never },
            hangup,
            attached: self.place.clone().map(|place| place as Arc<dyn std::fmt::Debug>),
        };
        Subscription::new(worker, start)
    }
}

/// A duration as a number of milliseconds, as it is written on the wire.
pub fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How to hang up on the peer of a request, on systems that don't do it by themselves.
pub fn hangup(request: &HttpRequest) -> Option<Hangup> {
    request.conn_data::<crate::server::Handle>().map(|handle| Hangup(Arc::clone(&handle.0)))
}

// ANCHOR: exit
/// The way out of the framework for the socket of a request, if it may take it: the socket is plain, the request is of
/// HTTP/1.1 and has no body, and nothing was sent behind it.
///
/// The answer must be one that lets the socket go.
pub fn exit(request: &HttpRequest) -> Option<Exit> {
    let headers = request.headers();
    let has_body = headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
    let exit = request.conn_data::<Exit>().filter(|_| request.version() == Version::HTTP_11 && !has_body)?;
    exit.reserve().then(|| exit.clone())
}
// ANCHOR_END: exit

/// A member's connection. Dropping it begins the grace after which the member has left.
#[derive(Debug)]
pub struct Stay {
    channel: Arc<Channel>,
    member: MemberId,
    number: u64,
}

impl Stay {
    /// Ends the stay at once, as a clean close asks for, unless another connection of the member goes on.
    pub fn end(self) {
        let (channel, member) = (Arc::clone(&self.channel), self.member);
        drop(self);
        channel.change_presence(|room| room.leave(member));
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.channel.change_presence(|room| room.exit(self.member, self.number, Instant::now()));
    }
}
