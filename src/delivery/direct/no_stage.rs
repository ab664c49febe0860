//! Where there is no direct delivery, no socket ever leaves the framework.

use std::{any::Any, io, net::TcpStream, rc::Rc, sync::Arc};

use crate::{delivery::Clock, metrics::Metrics};

use super::{Homecoming, Occupant, Seat};

/// A stage that is never built.
#[derive(Debug)]
pub enum Stage {}

impl Stage {
    /// Fails always.
    ///
    /// # Errors
    /// Tells that this system has no direct delivery.
    pub fn build(_: &Arc<Metrics>, _: &Rc<Clock>) -> io::Result<Rc<Self>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::delivery) const fn call_up(&self, _: Seat) {}

    pub(super) fn take_in(&self, _: TcpStream, _: Box<dyn Occupant>, _: Homecoming, _: Option<Rc<dyn Any>>) {}
}
