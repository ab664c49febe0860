//! fallcast: one broadcast channel over WebSocket, server-sent events, long-polling and a stream, with one cursor.
//!
//! A message flows through the modules from top to bottom of this list, and none of them looks back.

#![forbid(unsafe_code)]

pub mod channel;
pub mod delivery;
pub mod guard;
pub mod metrics;
pub mod wire;
