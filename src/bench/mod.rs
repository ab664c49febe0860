//! The benchmark: an honest comparison of transports, on the machine of whoever asks.
//!
//! It knows nothing of the server but its address, so it measures any server.

pub mod checksum;
pub mod compare;
pub mod findings;
pub mod histogram;
pub mod html;
mod http;
pub mod live;
pub mod load;
pub mod machine;
pub mod metric;
pub mod output;
pub mod plan;
pub mod rate;
pub mod report;
pub mod run;
pub mod sample;
pub mod server;
pub mod statistics;
mod summarize;
pub mod table;
pub mod target;
pub mod template;
pub mod validity;
pub mod verify;
pub mod words;
