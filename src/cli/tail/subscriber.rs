//! One subscriber over all of its connections: follows the channel, and knows when to come back and when to stop.

use std::{future::poll_fn, io, num::NonZeroU64, pin::pin, task::Poll, time::Duration};

use tokio::time::sleep;

use super::{
    Reconnect, TailArgs,
    connection::{Connection, Item},
    event::{Event, Goodbye, Hello, Kind, Message, count},
    output::Output,
    position::{Position, Verdict},
};
use crate::{
    channel::{ClientName, Cursor},
    cli::{
        backoff::{Advice, Backoff, when},
        error::CliError,
        notice::notice,
        remote::{Fault, PATIENCE, Query, Remote},
    },
};

/// After how many silent heartbeats a connection counts as dead: one may be late, two in a row are not.
const SILENT_HEARTBEATS: f64 = 2.5;

/// A shorter silence is no sign of anything: a busy machine or a radio link is silent for as long.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Why one connection's subscription is over.
enum End {
    /// There were as many messages as were wanted, or nobody reads the output any more.
    Done,
    /// Something failed.
    Fault(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Only writing to the output fails in this way.
impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Done,
            _ => Self::Fault(Fault::Final(CliError::Output(error))),
        }
    }
}

/// A subscriber. Its connections come and go.
pub struct Subscriber<'a> {
    args: &'a TailArgs,
    remote: &'a Remote,
    client: String,
    connection: Option<Connection<'a>>,
    position: Position,
    backoff: Backoff,
    /// How long the server may be silent.
    patience: Duration,
    /// A connection has failed, and the next one has not proven to be alive yet.
    is_resuming: bool,
    /// How many messages are still wanted.
    wanted: u64,
    output: Output,
}

impl<'a> Subscriber<'a> {
    /// Prepares to subscribe. Nothing is sent yet.
    #[must_use]
    pub fn new(args: &'a TailArgs, remote: &'a Remote) -> Self {
        // One name over all connections: presence must not take a reconnect for somebody new.
        let client = args.client.clone().unwrap_or_else(|| ClientName::random().as_str().to_owned());
        Self {
            args,
            remote,
            client,
            connection: None,
            position: Position::new(args.after.clone(), args.no_echo),
            backoff: Backoff::default(),
            patience: PATIENCE,
            is_resuming: false,
            wanted: args.count.map_or(u64::MAX, NonZeroU64::get),
            output: Output::new(args.format),
        }
    }

    /// Subscribes again and again, until there is nothing more to do. May be dropped at any time.
    ///
    /// # Errors
    /// The server refuses for good, or a connection fails and the user wants no other.
    pub async fn follow(&mut self) -> Result<(), CliError> {
        loop {
            let fault = match self.subscribe().await {
                Ok(()) | Err(End::Done) => return Ok(()),
                Err(End::Fault(fault)) => fault,
            };
            let wait = self.judge(fault)?;
            // Close the broken connection before the wait and not after it.
            self.connection = None;
            sleep(wait).await;
        }
    }

    /// Leaves the channel: closes the connection politely, if there is one.
    pub async fn leave(self) {
        if let Some(connection) = self.connection {
            connection.leave(self.remote, &self.client, self.args.name.is_some()).await;
        }
    }

    /// Says how long to wait after a fault, unless it is the end of everything.
    fn judge(&mut self, fault: Fault) -> Result<Duration, CliError> {
        let (cause, advice) = match fault {
            Fault::Final(error) => return Err(error),
            Fault::Passing { cause, advice } => (cause, advice),
        };
        if self.args.reconnect == Reconnect::Never {
            return Err(CliError::Ended { cause, after: self.position.after() });
        }
        let wait = self.backoff.failed(advice, fastrand::f64());
        notice(&format!("{cause}; connecting again {}", when(wait)));
        self.is_resuming = true;
        self.patience = PATIENCE;
        Ok(wait)
    }

    /// Reads one connection until it fails, or until no more messages are wanted.
    async fn subscribe(&mut self) -> Result<(), End> {
        let opened = Connection::open(self.args.transport, self.remote, self.query()).await?;
        self.connection = Some(opened);
        while let Some(connection) = &mut self.connection {
            let item = next(connection, self.patience, &mut self.output).await?;
            self.take(item)?;
        }
        Ok(())
    }

    fn query(&self) -> Query {
        let mut query =
            vec![("format", "json".to_owned()), ("after", self.position.after()), ("client", self.client.clone())];
        query.extend(self.args.name.iter().map(|name| ("as", name.clone())));
        query.extend(self.args.presence.then(|| ("presence", "1".to_owned())));
        query.extend(self.args.no_echo.then(|| ("echo", "0".to_owned())));
        query
    }

    fn take(&mut self, item: Item) -> Result<(), End> {
        match item {
            Item::Event(event) => self.take_event(&event),
            Item::ReconnectionTime(time) => {
                self.backoff.set_reconnection_time(time);
                Ok(())
            }
            Item::Position(cursor) => {
                self.is_alive();
                self.position.advance(cursor);
                Ok(())
            }
        }
    }

    fn take_event(&mut self, event: &Event) -> Result<(), End> {
        // A server that lets go at once has not proven anything.
        if !matches!(event.kind, Kind::Goodbye(_)) {
            self.is_alive();
        }
        match &event.kind {
            Kind::Message(message) => return self.take_message(event, message),
            Kind::Hello(hello) => self.begin(hello),
            Kind::Heartbeat(heartbeat) => self.position.advance(heartbeat.cursor.clone()),
            Kind::Gap(gap) => {
                notice(&format!("GAP: {gap}"));
                self.position.jump(gap.resume.clone());
            }
            Kind::Goodbye(goodbye) => {
                self.show(event)?;
                return Err(dismissed(goodbye).into());
            }
            Kind::Other => {}
        }
        Ok(self.show(event)?)
    }

    fn begin(&mut self, hello: &Hello) {
        self.position.begin(hello.cursor.clone());
        self.patience = Duration::from_millis(hello.heartbeat_ms).mul_f64(SILENT_HEARTBEATS).max(LEAST_PATIENCE);
    }

    fn take_message(&mut self, event: &Event, message: &Message) -> Result<(), End> {
        match self.position.step(&message.id) {
            Verdict::Next => {}
            Verdict::Repeated => return Ok(()),
            Verdict::TooFar(missed) => notice(&unannounced(missed, &message.id)),
        }
        self.output.message(event, message)?;
        self.wanted -= 1;
        if self.wanted == 0 {
            self.output.flush()?;
            return Err(End::Done);
        }
        Ok(())
    }

    fn show(&mut self, event: &Event) -> io::Result<()> {
        let is_wanted = self.args.events || (self.args.presence && event.name == "presence");
        if is_wanted { self.output.event(event) } else { Ok(()) }
    }

    /// Notes that the server has proven to be alive and to speak the protocol.
    fn is_alive(&mut self) {
        self.backoff.succeeded();
        if std::mem::take(&mut self.is_resuming) {
            notice(&format!("connected over {}, going on after {}", self.args.transport, self.position.after()));
        }
    }
}

/// Waits for the next item, but first writes out what was printed: a burst of messages becomes one write.
async fn next(connection: &mut Connection<'_>, patience: Duration, output: &mut Output) -> Result<Item, End> {
    let mut next = pin!(connection.next(patience));
    let at_once = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
    if let Poll::Ready(item) = at_once {
        return Ok(item?);
    }
    output.flush()?;
    Ok(next.await?)
}

/// A server that drains says when to come back, spread at random over all its subscribers.
fn dismissed(goodbye: &Goodbye) -> Fault {
    let wait = goodbye.reconnect_ms.map(Duration::from_millis);
    Fault::Passing {
        cause: format!("the server said goodbye ({})", goodbye.reason),
        advice: wait.map_or(Advice::BackOff, Advice::NotBefore),
    }
}

/// The offsets of one epoch have no holes, so a hole that no gap explains is worth a complaint.
fn unannounced(missed: Option<u64>, id: &Cursor) -> String {
    format!("LOST: {} lost before {id}, and no gap told so; the server breaks the protocol", count(missed))
}
