//! A timer that is only there when somebody needs it: on a healthy link, nobody does.

use std::{future::pending, pin::Pin};

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings when there is something to do although nothing was sent.
#[derive(Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Waits until a moment, or for ever. It may ring too early, never too late.
    pub(super) async fn ring_at(&mut self, moment: Option<Instant>) {
        let Some(moment) = moment else { return pending().await };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(moment)));
        // Most deadlines are put off again and again; an early ring is cheaper than setting a timer for each byte.
        if sleep.is_elapsed() || sleep.deadline() > moment {
            sleep.as_mut().reset(moment);
        }
        sleep.await;
    }
}
