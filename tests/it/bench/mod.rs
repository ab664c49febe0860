//! The benchmark: the load generator against a real server, and `fallcast bench` as a shell runs it.

mod command;
mod load;
