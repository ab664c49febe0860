//! The faults: one for each bug that people really write, each switched on alone.

/// Declares the faults with the sentences that the table shows for them.
macro_rules! faults {
    ($(#[doc = $sentence:literal] $name:ident,)+) => {
        /// A bug. The place of each in the code is an `if` that asks for it by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $(#[doc = $sentence] $name,)+
        }

        impl Fault {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What the server does wrong, in a sentence.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence.trim_ascii(),)+
                }
            }
        }
    };
}

faults! {
    // --- what every transport promises
    /// What is published between the replay and live delivery is lost.
    HandOverLoses,
    /// After a resume, the last message that the client had comes again, but for polls.
    ResumeRepeats,
    /// The header `Last-Event-ID` is ignored.
    LastEventIdIgnored,
    /// Replayed bytes differ from live ones.
    ReplayDiffers,
    /// What was evicted is left out without a word.
    GapUntold,
    /// A cursor of an epoch that is gone is taken for one of today's.
    EpochIgnored,
    /// One of many subscribers misses every fifth message.
    OneSubscriberMisses,
    /// Of two publishers, some subscribers hear the one first, and some the other.
    OrdersDiffer,
    /// Two messages that are replayed together change places, but for polls.
    PairsSwapped,
    /// Text is taken for Latin-1.
    TextIsLatin1,
    /// Each subscriber has a queue of its own that grows without a bound.
    QueueGrows,
    /// Whoever does not read keeps the others from getting anything.
    SlowReaderBlocks,
    /// A subscriber whose connection was reset counts on, until nobody is let in any more.
    ConnectionsLeak,
    /// Subscribers are let in one after the other, 50 ms for each.
    HandshakesQueue,
    /// There is no heartbeat.
    HeartbeatMissing,
    /// Every message carries a kilobyte of padding.
    Padding,
    /// Each delivery of a message waits for something slow, 25 ms long.
    DeliveryWaits,

    // --- server-sent events
    /// Replayed blocks have no `id`.
    IdMissingOnReplay,
    /// Nothing tells the cursor before the first message.
    NoIdBeforeFirstMessage,
    /// A CR in the data gets through as it is.
    CarriageReturnInField,
    /// Data with line feeds is not split into lines.
    LineFeedInField,
    /// No blank line ends a block that has several lines of data.
    BlankLineMissing,
    /// A message without data has no `data` line, so that nobody hears of it.
    EmptyDataDropped,
    /// The first block has nothing but `retry`, and the greeting follows in another.
    RetryAlone,
    /// Nothing keeps proxies from holding the stream back.
    BufferingAllowed,
    /// The content type is `text/plain`.
    EventsAreText,
    /// Bytes are held back until there are 4 KiB of them.
    EventsBuffered,

    // --- WebSocket
    /// `Sec-WebSocket-Accept` is that of another key.
    AcceptWrong,
    /// Any version of the handshake is accepted.
    AnyVersion,
    /// `Upgrade: WebSocket` is not understood, with its capital letters.
    TokensMatter,
    /// An extension is agreed to that nobody has offered.
    ExtensionUnasked,
    /// The server masks its frames.
    FramesMasked,
    /// The length of a frame is written in more bytes than it needs.
    LengthTooLong,
    /// Frames without a mask are accepted.
    UnmaskedAccepted,
    /// Reserved bits are ignored.
    ReservedBitsIgnored,
    /// Text that is not UTF-8 is accepted.
    BrokenTextAccepted,
    /// The fragments of a message are published one by one.
    FragmentsApart,
    /// A frame that is too large ends the connection without a close frame.
    TooBigWithoutCode,
    /// Broken rules are answered with the close code 1011.
    CloseCodeWrong,
    /// Any close code is taken and sent back.
    AnyCloseCode,
    /// The connection stays open after the closing handshake.
    LeftOpen,
    /// A close frame is not answered.
    CloseUnanswered,
    /// A ping is not answered.
    PongMissing,
    /// A pong has no payload.
    PongEmpty,

    // --- long-polling
    /// `start` is answered as `end` is.
    StartIsEnd,
    /// The first poll waits like any other.
    FirstPollWaits,
    /// Of what is published between two polls, only the last message is kept.
    BetweenPollsLost,
    /// A poll that waits is not woken, but looks for messages three times a second.
    HeldPollSleeps,
    /// While one poll waits, no other is answered.
    OnePollerServed,
    /// A request that comes before the answer to the one before it is thrown away.
    PipelinedLost,
    /// Caches may keep the answer to a poll.
    AnswersMayBeStored,
    /// `Link` names the poll that was just answered.
    LinkStale,
    /// A cursor that is none is answered from the head.
    BadCursorSilent,

    // --- one cursor on all transports
    /// The cursors of WebSocket are not understood elsewhere.
    CursorIsForeign,
    /// Server-sent events count from zero.
    CursorOffByOne,

    // --- publishing
    /// The same key twice is appended twice.
    DuplicateAppended,
    /// Another body under the same key is taken for the first.
    KeyTakesAnything,
    /// Pages of any origin publish.
    ForeignOriginPublishes,
    /// Pages of any origin open a WebSocket.
    ForeignOriginConnects,
    /// A foreign origin is refused, but its message is appended.
    ForeignOriginRefusedTooLate,
    /// Messages of any size are accepted.
    AnySize,
}
