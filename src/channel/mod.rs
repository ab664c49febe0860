//! The core: channels, their logs, and positions in them.
//!
//! One idea carries everything else: **a channel is one bounded log, and a subscriber is only a position in it.** There is
//! no queue per subscriber, so a slow one costs nothing but its own delay, and publishing costs the same however many
//! there are. Nothing in this folder knows of HTTP, of sockets, or of any protocol's bytes.

// `channel::channel` is the module of one channel, as the file of that name is.
#[expect(clippy::module_inception, reason = "the folder is the layer, the file is the noun")]
mod channel;
mod cursor;
mod data;
mod event;
mod hub;
mod keys;
mod log;
mod message;
mod presence;

pub use channel::{Channel, ChannelLimits, Counted, PublishError, Published, now_us};
pub use cursor::{After, Cursor, Epoch, MAX_CURSOR_BYTES, MAX_OFFSET, MalformedCursor};
pub use data::{BadData, Data, MAX_JSON_DEPTH};
pub use event::{
    Event, Gap, GapReason, Goodbye, GoodbyeReason, Heartbeat, Hello, MemberInfo, PROTOCOL_VERSION, PresenceEvent,
    Transport,
};
pub use hub::{ChannelsFull, Hub, HubLimits};
pub use keys::KeyLimits;
pub use log::{Budget, Log, MESSAGE_OVERHEAD, Retention};
pub use message::{
    BadName, CROWD_CHANNEL, ChannelName, ClientName, ContentType, DisplayName, IdempotencyKey, Label, MemberId,
    Message, Publication, TAP_PREFIX,
};
pub use presence::{Presence, PresenceLimits};
