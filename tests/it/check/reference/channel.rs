//! A channel: one bounded log, whose messages are numbered without holes.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::{Rc, Weak},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::{Mutex, watch};

use super::{Fault, Limits, Server};

/// What somebody publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub label: Option<String>,
    pub content_type: String,
    pub data: Vec<u8>,
    pub client: Option<String>,
    pub key: Option<String>,
    /// The connection on which it came.
    pub connection: usize,
}

/// A publication with its number.
pub struct Message {
    /// 1 for the first of its channel.
    pub offset: u64,
    /// Microseconds since 1970.
    pub at: u64,
    pub publication: Publication,
}

/// A queue of one subscriber's own, which a correct server does not have.
type Queue = RefCell<VecDeque<Rc<Message>>>;
pub type PrivateQueue = Rc<Queue>;

/// A channel, for as long as the server lives.
pub struct Channel {
    pub epoch: String,
    pub log: RefCell<Log>,
    /// Held during a write, if a slow reader blocks the others.
    pub turn: Mutex<()>,
    head: watch::Sender<u64>,
    keys: RefCell<HashMap<String, (Publication, u64)>>,
    queues: RefCell<Vec<Weak<Queue>>>,
}

/// The key stands for another publication.
pub struct KeyReused;

impl Channel {
    pub fn new(limits: Limits) -> Self {
        // It is known as a name that was made up by its digit.
        let epoch = std::iter::repeat_with(fastrand::lowercase).take(9).chain(['7']).collect();
        let log = Log { first: 1, messages: VecDeque::new(), bytes: 0, limits };
        Self {
            epoch,
            log: RefCell::new(log),
            turn: Mutex::default(),
            head: watch::Sender::new(0),
            keys: RefCell::default(),
            queues: RefCell::default(),
        }
    }

    /// Appends a publication and returns its number; that of the first one, if its key is known.
    pub fn append(&self, server: &Server, publication: Publication) -> Result<u64, KeyReused> {
        if let Some(key) = publication.key.as_deref().filter(|_| !server.has(Fault::DuplicateAppended)) {
            match self.keys.borrow().get(key) {
                Some((first, offset)) if first.data == publication.data || server.has(Fault::KeyTakesAnything) => {
                    return Ok(*offset);
                }
                Some(_) => return Err(KeyReused),
                None => {}
            }
        }
        let offset = self.log.borrow().head() + 1;
        if let Some(key) = publication.key.clone() {
            self.keys.borrow_mut().insert(key, (publication.clone(), offset));
        }
        self.push(Message { offset, at: now(), publication });
        Ok(offset)
    }

    fn push(&self, message: Message) {
        let message = Rc::new(message);
        self.queues.borrow_mut().retain(|queue| {
            let queue = queue.upgrade();
            queue.inspect(|queue| queue.borrow_mut().push_back(Rc::clone(&message))).is_some()
        });
        let head = self.log.borrow_mut().push(message);
        self.head.send_replace(head);
    }

    /// Tells of every change of the head from now on.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// How many are watching.
    pub fn subscribers(&self) -> usize {
        self.head.receiver_count()
    }

    /// A queue that gets everything after a position.
    pub fn private_queue(&self, position: u64) -> PrivateQueue {
        let log = self.log.borrow();
        let queue = Rc::new(RefCell::new((position..log.head()).filter_map(|before| log.after(before)).collect()));
        self.queues.borrow_mut().push(Rc::downgrade(&queue));
        queue
    }
}

/// The newest messages.
pub struct Log {
    /// The place of the oldest message, or of the next while there is none.
    first: u64,
    messages: VecDeque<Rc<Message>>,
    bytes: usize,
    limits: Limits,
}

impl Log {
    /// The place of the newest message.
    pub fn head(&self) -> u64 {
        self.first + self.messages.len() as u64 - 1
    }

    /// The position before the oldest message.
    pub fn start(&self) -> u64 {
        self.first - 1
    }

    /// The message after a position.
    pub fn after(&self, position: u64) -> Option<Rc<Message>> {
        let index = (position + 1).checked_sub(self.first)?;
        self.messages.get(usize::try_from(index).ok()?).cloned()
    }

    /// Appends a message, evicts what there is no room for, and returns the head.
    fn push(&mut self, message: Rc<Message>) -> u64 {
        self.bytes += message.publication.data.len();
        self.messages.push_back(message);
        while self.is_over_full()
            && let Some(oldest) = self.messages.pop_front()
        {
            self.bytes -= oldest.publication.data.len();
            self.first += 1;
        }
        self.head()
    }

    /// The newest message stays, however large it is.
    fn is_over_full(&self) -> bool {
        let is_over = self.messages.len() > self.limits.log_messages || self.bytes > self.limits.log_bytes;
        is_over && self.messages.len() > 1
    }
}

/// Microseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
