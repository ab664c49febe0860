//! `fallcast check`: whether a server keeps what real-time servers should promise, seen from outside.
//!
//! It knows a server by its address and by a [`profile`] that says where things are, so it grades anybody's server, in any
//! language. Nothing here knows how this program's own server works.
//!
//! ```text
//! profile ──→ subject ──→ run ──→ checks/* ──→ reader, publisher ──→ wire/* ──→ sockets
//!                          │         │                                  │
//!                          │      verdict ←──────── trace ←─────────────┘
//!                          └──→ output/*
//! ```
//!
//! | module | owns |
//! | --- | --- |
//! | [`transport`] | the four ways in which messages come |
//! | [`profile`] | what a server says it has, and where: a TOML file |
//! | [`template`] | addresses and bodies with places such as `{channel}` |
//! | [`json`] | paths into JSON: `events[].message.data` |
//! | [`subject`] | the server under test, the seed, and fresh channels |
//! | [`wire`] | what goes over sockets, to the byte, and into the trace |
//! | [`trace`] | what was sent and received, bounded, and the shortest part of it that shows a fault |
//! | [`reader`] | a subscriber over any transport |
//! | [`publisher`] | what publishes |
//! | [`verdict`] | properties, violations, outcomes, the report |
//! | [`case`] | one check at work on one transport: its luck, its time, what it has proved |
//! | [`checks`] | the checks, one file each |
//! | [`reach`] | whether the server has what the profile describes |
//! | [`run`] | which checks apply, in which order |
//! | [`output`] | the report as text, JSON and `JUnit` XML |
//!
//! Everything runs in one thread. A seed decides whatever is left to chance, so a run can be repeated; only the names of
//! channels differ from run to run, since a channel must be a new one.

pub mod case;
pub mod checks;
pub mod json;
pub mod output;
pub mod profile;
pub mod publisher;
pub mod reach;
pub mod reader;
pub mod run;
pub mod subject;
pub mod template;
pub mod trace;
pub mod transport;
pub mod verdict;
pub mod wire;
