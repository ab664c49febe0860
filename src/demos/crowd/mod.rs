//! Crowds: experiments with thousands of subscribers, next to the server, for the demos that a browser alone cannot do.
//!
//! An experiment starts a fallcast of its own as a child process on loopback, and lets the load generator of the benchmark
//! run at it in a thread of this process. So the server that a class uses is neither frozen nor killed when the experiment
//! does that to its own, and processor time and memory are those of one process that has nothing else to do.
//!
//! | request | what happens |
//! | --- | --- |
//! | `GET /crowd` | tells the limits, whether the caller may start an experiment, and the newest one: `{"limits", "may_start", "channel", "experiment": {"number", "is_running", "after", "order"}}` |
//! | `POST /crowd` | starts one: an [`Order`] such as `{"kind": "crowd", "subscribers": 1000, "rate": 10}`. `201`; `400` with the bounds of what is wrong; `403` to whoever is no operator; `409` while another runs |
//! | `DELETE /crowd` | stops it: `204`, or `404` if none runs |
//!
//! One runs at a time. Operators may start and stop it, and everybody may watch: what happens is told on the channel
//! `crowd.live`, from the cursor `after` on. An experiment that nobody watches for five seconds ends, as all do when the
//! server drains, or after `--crowd-time`.
//!
//! ```text
//! Desk  →  Experiments  →  Leash   how long it goes on       listening   thousands listen
//! HTTP     one at a time   Arena   server and generator  →   storm       a server that is killed
//!                          News    what is told              freeze      a server that is stopped
//! ```

mod arena;
mod desk;
mod experiments;
mod freeze;
mod leash;
mod listening;
mod news;
mod order;
mod storm;

pub use desk::{offer, start, stop};
pub use experiments::{Experiments, NotStarted};
pub use order::BadOrder;
