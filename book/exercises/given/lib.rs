//! What is given in the exercises of the book: channels, and the HTTP around them.
//!
//! The exercises are in the folders beside this one. Nothing in here has to be read to solve them, and all of it can be.
//! These servers are made to be read in class. They have no heartbeats between servers and clients beyond what an
//! exercise is about, no limits on connections, and no TLS; the server that has all that is fallcast.

// What students write and the solutions begin alike, wherever they are compiled.
extern crate self as fallcast_exercises;

pub mod channel;
pub mod frame;
pub mod program;
pub mod publish;

pub mod event_stream;
pub mod poll;
pub mod queues;
pub mod websocket;

pub mod solutions;
