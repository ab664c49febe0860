//! fallcast: one broadcast channel over WebSocket, server-sent events, long-polling and a stream, with one cursor.
//!
//! A message flows through the modules of the first group in this order, and none of them looks back:
//! a [`transport`] takes it in, its [`channel`] appends it, [`wire`] encodes it once, and [`delivery`] carries it from a
//! position in the log to a socket.

#![forbid(unsafe_code)]

pub mod channel;
pub mod delivery;
pub mod transport;
pub mod wire;

pub mod guard;
pub mod metrics;

pub mod lab;

pub mod bench;
pub(crate) mod check;
pub mod cli;
pub mod config;
pub mod demos;
pub mod doctor;
pub mod examination;
pub mod origin;
pub mod server;
pub mod site;
