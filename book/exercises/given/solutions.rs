//! The solutions. Each server is made of its own exercise and of the solutions of the others.

#[path = "../hub/solution.rs"]
pub mod hub;
#[path = "../long-polling/solution.rs"]
pub mod long_polling;
#[path = "../origin/solution.rs"]
pub mod origin;
#[path = "../resume/solution.rs"]
pub mod resume;
#[path = "../slow-reader/solution.rs"]
pub mod slow_reader;
#[path = "../sse/solution.rs"]
pub mod sse;
#[path = "../websocket/solution.rs"]
pub mod websocket;
