//! The lab: a network that misbehaves on command, in front of a server that does not.

mod chance;
mod control;
mod cuts;
mod doors;
mod healthy;
mod holding;
mod house;
mod lines;
mod nagle;
mod peers;
mod retries;
mod slow;
mod tap;
mod upgrades;
