//! What goes over sockets: exact to the byte, judged by nobody here, and written into the trace.
//!
//! [`line`] is a connection, [`http`] speaks HTTP/1.1 over it, [`websocket`] frames, [`event_stream`] takes apart what an
//! event stream says. They read what a server must not send as willingly as what it should; the checks judge.

pub mod event_stream;
pub mod http;
pub mod line;
pub mod websocket;
