//! The subscribers: many sockets on one epoll, read by one thread.
//!
//! The load generator must be cheaper than the servers it measures. So a ready socket is read once, into a buffer that
//! all share, and parsed in place.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
};
use socket2::SockRef;

use super::{
    Result,
    dialect::Dialect,
    framing::{Decoder, Received},
    payload::Payload,
    schedule::Schedule,
    server::PATIENCE,
    tally::Tally,
    workload::Workload,
};

/// Handshakes that are under way at a time: fewer than a listener's backlog holds, so that none is ever tried again.
const HANDSHAKES_AT_ONCE: usize = 64;

/// Large enough for all that a socket is likely to hold, small enough to stay in the processor's cache.
const BUFFER_LENGTH: usize = 1 << 16;

/// How long a wait lasts before the reason for it is looked at again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// All subscribers of one server.
pub struct Audience {
    epoll: OwnedFd,
    address: SocketAddr,
    dialect: Dialect,
    payload: Payload,
    /// How long to sleep until something arrives.
    wait: Duration,
    subscribers: Vec<Subscriber>,
    subscribed: usize,
    pub tally: Tally,
    /// All that has been received, responses and frames with their heads, in bytes.
    pub bytes_received: u64,
    /// All requests, in bytes.
    pub bytes_sent: u64,
    /// When messages were due, while that matters.
    pub schedule: Option<Schedule>,
    events: Vec<Event>,
    buffer: Box<[u8]>,
}

struct Subscriber {
    stream: TcpStream,
    decoder: Decoder,
}

impl Audience {
    /// Lets `count` subscribers connect, and returns when the server has accepted all of them. Long-polls have been
    /// answered once by then and are asked again.
    pub fn connect(workload: &Workload, address: SocketAddr, dialect: Dialect) -> Result<Self> {
        let count = workload.subscribers as usize;
        let mut audience = Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            address,
            dialect,
            payload: Payload::of_length(workload.payload),
            wait: if workload.busy_poll { Duration::ZERO } else { LONGEST_WAIT },
            subscribers: Vec::with_capacity(count),
            subscribed: 0,
            tally: Tally::new(count),
            bytes_received: 0,
            bytes_sent: 0,
            schedule: None,
            events: Vec::with_capacity(1024),
            buffer: vec![0; BUFFER_LENGTH].into(),
        };
        for number in 0..count {
            audience.receive_until(|audience| number - audience.subscribed < HANDSHAKES_AT_ONCE)?;
            audience.add_subscriber()?;
        }
        audience.receive_until(|audience| audience.subscribed == count)?;
        Ok(audience)
    }

    fn add_subscriber(&mut self) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        // The sockets are reset when they are closed: ten thousand of them in TIME_WAIT would be in the next sample's
        // way.
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        stream.set_nonblocking(true)?;
        stream.write_all(self.dialect.first())?;
        let data = EventData::new_u64(self.subscribers.len() as u64);
        epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
        self.subscribers.push(Subscriber { stream, decoder: Decoder::new(self.dialect.framing) });
        Ok(())
    }

    /// Receives until a condition holds, and counts the deliveries.
    ///
    /// # Errors
    /// Fails if nothing arrives for a long time, and names somebody who waits in vain.
    pub fn receive_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<u32> {
        let mut deliveries = 0;
        let mut last_progress = Instant::now();
        while !done(self) {
            let (subscribed, received) = (self.subscribed, self.receive(self.wait)?);
            if received > 0 || self.subscribed > subscribed {
                last_progress = Instant::now();
            } else if last_progress.elapsed() > PATIENCE {
                let straggler = self.tally.straggler().unwrap_or_else(|| format!("{subscribed} are subscribed"));
                return Err(format!("nothing has arrived for {PATIENCE:?}: {straggler}").into());
            }
            deliveries += received;
        }
        Ok(deliveries)
    }

    /// Waits for sockets to become readable, reads each of them once, and counts the deliveries.
    pub fn receive(&mut self, timeout: Duration) -> Result<u32> {
        let timeout = Timespec::try_from(timeout)?;
        epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout))?;
        let mut deliveries = 0;
        for position in 0..self.events.len() {
            deliveries += self.read(usize::try_from(self.events[position].data.u64())?)?;
        }
        self.events.clear();
        Ok(deliveries)
    }

    fn read(&mut self, number: usize) -> Result<u32> {
        let Subscriber { stream, decoder } = &mut self.subscribers[number];
        let length = match stream.read(&mut self.buffer) {
            Ok(0) => return Err(format!("the server has closed the connection of subscriber {number}").into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(format!("subscriber {number}: {error}").into()),
        };
        self.bytes_received += length as u64;
        let now = self.schedule.is_some().then(Instant::now);
        let mut deliveries = 0;
        let mut reply: Option<Vec<u8>> = None;
        decoder.feed(&self.buffer[..length], |received| {
            match received {
                Received::Message(message) => {
                    let sequence = self.payload.sequence(message)?;
                    self.tally.receive(number, sequence)?;
                    if let (Some(schedule), Some(now)) = (&mut self.schedule, now) {
                        schedule.arrived(sequence, now);
                    }
                    deliveries += 1;
                }
                Received::Subscribed => self.subscribed += 1,
                Received::Answered(cursor) => reply = Some(self.dialect.next(cursor)),
                Received::Owed(bytes) => reply = Some(bytes.to_vec()),
            }
            Ok(())
        })?;
        if let Some(reply) = reply {
            stream.write_all(&reply)?;
            self.bytes_sent += reply.len() as u64;
        }
        Ok(deliveries)
    }
}
