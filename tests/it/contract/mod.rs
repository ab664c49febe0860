//! The contract of all transports: one suite, parameterized by transport.

mod delivery;
mod draining;
mod echo;
mod gap;
mod hand_over;
mod idempotency;
mod presence;
mod resume;
