//! Long-polling: each answer is complete, and names the cursor of the next question. How long to wait, and for what, is
//! an exercise.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Data, Path, Query, get},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    channel::{Channel, Channels, Message},
    program::{self, Fault},
    publish,
    solutions::origin,
};

/// How long a poll is held if the client does not say: below the 30 seconds after which some proxies give up.
const HOLD: Duration = Duration::from_secs(25);

/// What a client asks for.
#[derive(Deserialize)]
struct Wish {
    after: Option<String>,
    /// How long to hold the poll, in seconds.
    wait: Option<u8>,
}

impl Wish {
    fn hold(&self) -> Duration {
        self.wait.map_or(HOLD, |seconds| Duration::from_secs(seconds.into()).min(HOLD))
    }
}

/// Serves channels by long-polling until Ctrl-C.
///
/// # Errors
/// The port cannot be used.
pub fn serve(
    port: u16,
    poll: impl AsyncFn(&Channel, u64, Duration) -> Option<Vec<Message>> + Copy + Send + 'static,
) -> Result<(), Fault> {
    let channels = Data::new(Channels::<Channel>::default());
    program::serve(port, move |config| {
        let respond = move |name: Path<String>, wish: Query<Wish>, channels: Data<Channels<Channel>>| async move {
            let Some(channel) = channels.get(&name) else { return publish::too_many_channels() };
            let Some(question) = Question::read(&channel, wish.after.as_deref()) else { return publish::bad_cursor() };
            match question {
                Question::WhatIsThere { after } => answer(&channel, after, channel.read_after(after)),
                Question::WhatComes { after } => answer(&channel, after, poll(&channel, after, wish.hold()).await),
            }
        };
        config.app_data(Data::clone(&channels)).route("/channels/{channel}/poll", get().to(respond));
        publish::configure(config, origin::is_welcome);
    })
}

/// What a poll asks for.
enum Question {
    /// Everything after a position that the client does not know yet. It is answered at once, and the client knows it.
    WhatIsThere { after: u64 },
    /// What comes after a position that the client holds.
    WhatComes { after: u64 },
}

impl Question {
    /// Reads `after`; `None` if it is no cursor.
    fn read(channel: &Channel, after: Option<&str>) -> Option<Self> {
        match after {
            None | Some("end") => Some(Self::WhatIsThere { after: channel.head() }),
            Some("start") => Some(Self::WhatIsThere { after: channel.start() }),
            Some(cursor) => {
                let (epoch, number) = cursor.split_once('.')?;
                let after = number.parse().ok()?;
                // A position in another log is one from which nobody can go on.
                let after = if epoch == channel.epoch() { after } else { u64::MAX };
                Some(Self::WhatComes { after })
            }
        }
    }
}

/// The answer to a client that asked for everything after `position`.
fn answer(channel: &Channel, position: u64, messages: Option<Vec<Message>>) -> HttpResponse {
    let (position, events) = match messages {
        Some(messages) => {
            let last = messages.last().map_or(position, |message| message.number);
            (last, messages.iter().map(|message| event(channel, message)).collect())
        }
        None => (channel.start(), vec![json!({ "gap": { "resume": channel.cursor(channel.start()) } })]),
    };
    HttpResponse::Ok()
        .insert_header(("Cache-Control", "no-store"))
        .json(json!({ "cursor": channel.cursor(position), "events": events, "more": false }))
}

fn event(channel: &Channel, message: &Message) -> Value {
    json!({ "message": { "id": channel.cursor(message.number), "data": &*message.text } })
}
