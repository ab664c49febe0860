//! What users may rely on, shown on a running server through real sockets.
//!
//! The names of the tests are the specification. `contract` holds what every transport promises, one suite for all of
//! them; the other modules hold what is particular to one transport, one format or one kind of bad input.

mod bench;
mod check;
mod check_command;
mod command_line;
mod contract;
mod crowd;
mod demos;
#[cfg(target_os = "linux")]
mod direct;
mod doctor;
mod events;
mod examination;
mod frames;
mod handshake;
mod harness;
mod heartbeat;
mod hijack;
mod json;
mod lab;
mod limits;
mod long_poll;
#[cfg(target_os = "linux")]
mod memory;
mod methods;
mod negotiation;
mod operators;
mod origin;
mod parameters;
mod publishing;
mod site;
mod slow_clients;
mod sse;
mod stream;
