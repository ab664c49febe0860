//! What students write: the files with the holes.

#[path = "../long-polling/start.rs"]
pub mod long_polling;
#[path = "../origin/start.rs"]
pub mod origin;
#[allow(clippy::unnecessary_wraps, reason = "what students begin with never finds a gap")]
#[path = "../resume/start.rs"]
pub mod resume;
#[path = "../slow-reader/start.rs"]
pub mod slow_reader;
#[path = "../sse/start.rs"]
pub mod sse;
#[path = "../websocket/start.rs"]
pub mod websocket;
