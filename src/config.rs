//! The configuration: flags, environment and a TOML file, checked once and then only passed on in parts.
//!
//! Every limit of the server is a field here, with its unit, its default and the reason for it. A flag wins over the
//! environment, and the environment over the file.

use std::{fmt, fs, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// A span of time, written like `20s`, `500ms`, `1h 30m`, or `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period(pub Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = |error| format!("{error}; a span of time is written like 20s, 500ms or 10m");
        if text == "0" { Ok(Self(Duration::ZERO)) } else { humantime::parse_duration(text).map(Self).map_err(fault) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

/// A number of bytes, written like `65536`, `64KiB`, `1MiB` or `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

const UNITS: [(&str, usize); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = UNITS
            .into_iter()
            .find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, unit)))
            .unwrap_or((text, 1));
        let number = number.trim().parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
        number.map(Self).ok_or_else(|| "a size is written like 65536, 64KiB, 1MiB or 2GiB".to_owned())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = UNITS[..3].iter().rev().find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit));
        match binary {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

/// In a file, numbers with a unit and words are strings; a plain number may be a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrNumber {
    Text(String),
    Number(u64),
}

fn from_file<'de, D: Deserializer<'de>, T: FromStr<Err = String>>(deserializer: D) -> Result<T, D::Error> {
    let text = match TextOrNumber::deserialize(deserializer)? {
        TextOrNumber::Text(text) => text,
        TextOrNumber::Number(number) => number.to_string(),
    };
    text.parse().map_err(de::Error::custom)
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_file(deserializer)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_file(deserializer)
    }
}

/// How logs are written to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// How a message goes from the log to a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Directly where it can be, through response bodies elsewhere.
    #[default]
    Auto,
    /// Directly: the socket of a plain HTTP/1.1 subscriber leaves the framework. On Linux.
    Direct,
    /// Through the response bodies of the framework, always.
    Streaming,
}

impl Delivery {
    /// Whether sockets may leave the framework on this system.
    #[must_use]
    pub const fn may_be_direct(self) -> bool {
        match self {
            Self::Auto | Self::Direct => cfg!(target_os = "linux"),
            Self::Streaming => false,
        }
    }
}

/// Where the lab listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabPort {
    /// Nowhere: there is no lab.
    Off,
    /// On a port that the system chooses.
    Free,
    /// On this port.
    Exactly(u16),
    /// On this port unless somebody has it: who did not ask for a lab must not miss the server for want of its port.
    IfFree(u16),
}

impl FromStr for LabPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) => Ok(Self::Off),
            Ok(port) => Ok(Self::Exactly(port)),
            Err(_) if text == "auto" => Ok(Self::Free),
            Err(_) => Err("the lab's port is a port such as 8081, `auto` for a free one, or 0 for no lab".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for LabPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        from_file(deserializer)
    }
}

/// Declares the settings once: as flags, environment variables and keys of the file, with their defaults.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $(#[arg($($arg:tt)*)])? $field:ident: $type:ty = $default:expr, $shown:literal, $env:literal;)+) => {
        /// What can be set. Unset fields take the value of the next source, in the end the default.
        #[derive(Args, Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Settings {
            $(
                $(#[doc = $doc])+
                #[arg(long, env = $env, help = concat!($($doc,)+ " [default: ", $shown, "]").trim_ascii(), $($($arg)*)?)]
                pub $field: Option<$type>,
            )+
        }

        /// The configuration of a server, complete and checked.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Settings {
            /// Fills what is unset from another source.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $($field: self.$field.or(other.$field),)+ }
            }

            /// Fills what is unset with the defaults.
            fn complete(self) -> Config {
                Config { $($field: self.$field.unwrap_or_else(|| $default),)+ }
            }
        }
    };
}

const fn seconds(count: u64) -> Period {
    Period(Duration::from_secs(count))
}

settings! {
    /// Listen on this address or host name; may be given several times. 0.0.0.0 and :: let the whole network in.
    #[arg(value_name = "ADDRESS", value_delimiter = ',', help_heading = "Listening")]
    host: Vec<String> = Vec::new(), "both loopback addresses", "FALLCAST_HOST";

    /// Listen on this port; 0 takes a free one.
    #[arg(short, value_name = "PORT", help_heading = "Listening")]
    port: u16 = 8080, "8080", "FALLCAST_PORT";

    /// Run so many worker threads.
    #[arg(value_name = "N", help_heading = "Listening")]
    workers: usize = std::thread::available_parallelism().map_or(1, usize::from), "one per core", "FALLCAST_WORKERS";

    /// Deliver direct, over sockets that have left the web framework (Linux, plain HTTP/1.1), or streaming, through its response bodies; auto is direct where it can be.
    #[arg(value_name = "WAY", help_heading = "Listening")]
    delivery: Delivery = Delivery::Auto, "auto", "FALLCAST_DELIVERY";

    /// A certificate chain in PEM. With it the server speaks HTTPS, and HTTP/2 to whoever can.
    #[arg(value_name = "FILE", help_heading = "Listening")]
    tls_cert: PathBuf = PathBuf::new(), "none", "FALLCAST_TLS_CERT";

    /// The certificate's private key in PEM.
    #[arg(value_name = "FILE", help_heading = "Listening")]
    tls_key: PathBuf = PathBuf::new(), "none", "FALLCAST_TLS_KEY";

    /// Make a certificate for this run and print its fingerprint: HTTPS for a LAN, after a warning in each browser.
    #[arg(num_args = 0..=1, default_missing_value = "true", require_equals = true, help_heading = "Listening")]
    tls_self_signed: bool = false, "false", "FALLCAST_TLS_SELF_SIGNED";

    /// Offer the lab on this port, a network that misbehaves on command; auto takes a free one, 0 is no lab.
    #[arg(value_name = "PORT", help_heading = "The lab")]
    lab_port: LabPort = LabPort::IfFree(8081), "8081, if nobody else has it", "FALLCAST_LAB_PORT";

    /// Keep at most so many links. Without a bound anybody could fill the memory by making up names.
    #[arg(value_name = "N", help_heading = "The lab")]
    max_links: usize = 1000, "1000", "FALLCAST_MAX_LINKS";

    /// Forget a link that nobody has used or changed for so long, and its secret with it.
    #[arg(value_name = "TIME", help_heading = "The lab")]
    link_expiry: Period = seconds(3600), "1h", "FALLCAST_LINK_EXPIRY";

    /// Refuse connections to the lab beyond so many. Each needs three file descriptors.
    #[arg(value_name = "N", help_heading = "The lab")]
    max_lab_connections: usize = 1000, "1000", "FALLCAST_MAX_LAB_CONNECTIONS";

    /// Keep at most so many bytes of what passes through the lab, for whoever wants to see it; 0 records nothing.
    #[arg(value_name = "SIZE", help_heading = "The lab")]
    lab_recording: Size = Size(32 << 20), "32MiB", "FALLCAST_LAB_RECORDING";

    /// Let a demo's crowd have at most so many subscribers, 0 for none. Each needs two file descriptors of this machine.
    #[arg(value_name = "N", help_heading = "Crowds of demos")]
    crowd_subscribers: usize = 10_000, "10000", "FALLCAST_CROWD_SUBSCRIBERS";

    /// Let a demo's crowd be sent at most so many messages a second. Faster, two cores measure each other.
    #[arg(value_name = "N", help_heading = "Crowds of demos")]
    crowd_rate: u32 = 1000, "1000", "FALLCAST_CROWD_RATE";

    /// End an experiment with a crowd after so long, since it keeps the whole machine busy.
    #[arg(value_name = "TIME", help_heading = "Crowds of demos")]
    crowd_time: Period = seconds(60), "1m", "FALLCAST_CROWD_TIME";

    /// Let pages of this origin connect and publish, such as `https://example.org`; may be given several times, * is any.
    #[arg(value_name = "ORIGIN", value_delimiter = ',', help_heading = "Who may do what")]
    allow_origin: Vec<String> = Vec::new(), "the server's own pages only", "FALLCAST_ALLOW_ORIGIN";

    /// Answer /channels and /metrics to everybody, not to this machine only.
    #[arg(num_args = 0..=1, default_missing_value = "true", require_equals = true, help_heading = "Who may do what")]
    allow_operators: bool = false, "false", "FALLCAST_ALLOW_OPERATORS";

    /// Refuse connections beyond so many. Each needs a file descriptor.
    #[arg(value_name = "N", help_heading = "Who may do what")]
    max_connections: usize = 0, "what the descriptor limit leaves room for", "FALLCAST_MAX_CONNECTIONS";

    /// Refuse connections beyond so many from one address; 0 is no limit, since a class sits behind one address.
    #[arg(value_name = "N", help_heading = "Who may do what")]
    max_connections_per_address: usize = 0, "0", "FALLCAST_MAX_CONNECTIONS_PER_ADDRESS";

    /// Let one address publish so many messages a second; 0 is no limit, since a class sits behind one address.
    #[arg(value_name = "N", help_heading = "Who may do what")]
    publish_rate: u32 = 0, "0", "FALLCAST_PUBLISH_RATE";

    /// Take messages of at most this size, counted after base64 and escapes are decoded.
    #[arg(value_name = "SIZE", help_heading = "Limits")]
    max_message_size: Size = Size(1 << 20), "1MiB", "FALLCAST_MAX_MESSAGE_SIZE";

    /// Keep at most so many channels. Without a bound anybody could fill the memory by asking for new names.
    #[arg(value_name = "N", help_heading = "Limits")]
    max_channels: usize = 10_000, "10000", "FALLCAST_MAX_CHANNELS";

    /// Announce at most so many members of one channel.
    #[arg(value_name = "N", help_heading = "Limits")]
    max_members: usize = 10_000, "10000", "FALLCAST_MAX_MEMBERS";

    /// Retain at most so many messages of each channel.
    #[arg(value_name = "N", help_heading = "Retention")]
    log_messages: usize = 10_000, "10000", "FALLCAST_LOG_MESSAGES";

    /// Retain at most so many bytes of each channel, encoded copies included.
    #[arg(value_name = "SIZE", help_heading = "Retention")]
    log_bytes: Size = Size(16 << 20), "16MiB", "FALLCAST_LOG_BYTES";

    /// Retain messages for at most so long; 0 is no limit.
    #[arg(value_name = "TIME", help_heading = "Retention")]
    log_age: Period = seconds(3600), "1h", "FALLCAST_LOG_AGE";

    /// Retain at most so many bytes of all channels together. The oldest messages go first.
    #[arg(value_name = "SIZE", help_heading = "Retention")]
    log_bytes_total: Size = Size(256 << 20), "256MiB", "FALLCAST_LOG_BYTES_TOTAL";

    /// Forget a channel that nobody reads or publishes to after so long, at least ten minutes in service.
    #[arg(value_name = "TIME", help_heading = "Retention")]
    channel_expiry: Period = seconds(3600), "1h", "FALLCAST_CHANNEL_EXPIRY";

    /// Recognize a repeated publication by its key for so long.
    #[arg(value_name = "TIME", help_heading = "Retention")]
    key_window: Period = seconds(300), "5m", "FALLCAST_KEY_WINDOW";

    /// Remember at most so many keys of each channel; a quarter million of all channels together at the default.
    #[arg(value_name = "N", help_heading = "Retention")]
    max_keys: usize = 65_536, "65536", "FALLCAST_MAX_KEYS";

    /// Be silent for at most so long. Proxies cut what is silent for 30 or 60 seconds.
    #[arg(value_name = "TIME", help_heading = "Times")]
    heartbeat: Period = seconds(20), "20s", "FALLCAST_HEARTBEAT";

    /// Hold a poll for at most so long. Proxies cut a request without an answer after 30 or 60 seconds.
    #[arg(value_name = "TIME", help_heading = "Times")]
    poll_hold: Period = seconds(25), "25s", "FALLCAST_POLL_HOLD";

    /// Close a connection that has bytes waiting and takes none of them for so long.
    #[arg(value_name = "TIME", help_heading = "Times")]
    stall_timeout: Period = seconds(15), "15s", "FALLCAST_STALL_TIMEOUT";

    /// Close a connection whose request is not complete after so long.
    #[arg(value_name = "TIME", help_heading = "Times")]
    request_timeout: Period = seconds(10), "10s", "FALLCAST_REQUEST_TIMEOUT";

    /// Close a connection without a request after so long.
    #[arg(value_name = "TIME", help_heading = "Times")]
    keep_alive: Period = seconds(75), "75s", "FALLCAST_KEEP_ALIVE";

    /// Tell browsers to reconnect an event stream after so long, a quarter more or less.
    #[arg(value_name = "TIME", help_heading = "Times")]
    sse_retry: Period = seconds(2), "2s", "FALLCAST_SSE_RETRY";

    /// Show a member who has gone away for so long before it has left. Longer than a poll is held.
    #[arg(value_name = "TIME", help_heading = "Times")]
    presence_grace: Period = seconds(35), "35s", "FALLCAST_PRESENCE_GRACE";

    /// End within so long after SIGTERM.
    #[arg(value_name = "TIME", help_heading = "Times")]
    drain_time: Period = seconds(10), "10s", "FALLCAST_DRAIN_TIME";

    /// How logs are written to standard error.
    #[arg(value_name = "FORMAT", help_heading = "Logs")]
    log_format: LogFormat = LogFormat::Text, "text", "FALLCAST_LOG_FORMAT";

    /// What is logged: error, warn, info, debug, trace, or a filter such as `fallcast=debug,actix_server=warn`.
    #[arg(value_name = "FILTER", help_heading = "Logs")]
    log_level: String = "info,actix_server=warn".to_owned(), "info,actix_server=warn", "FALLCAST_LOG_LEVEL";
}

/// What is wrong with the configuration, and what to change.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration file {path} is wrong: {fault}")]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Where and why.
        fault: Box<toml::de::Error>,
    },
    /// Two settings contradict each other, or one makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// The protocol lets clients rely on a channel for so long after it was used last.
const PROMISED_EXPIRY: Duration = Duration::from_mins(10);

impl Config {
    /// Completes settings from a file and the defaults, and checks the result.
    ///
    /// # Errors
    /// Names the setting that is wrong and what to change.
    pub fn new(settings: Settings, file: Option<PathBuf>) -> Result<Self, ConfigError> {
        let from_file = file.map(read).transpose()?.unwrap_or_default();
        let config = settings.or(from_file).complete();
        config.check()?;
        Ok(config)
    }

    /// Whether the server speaks HTTPS.
    #[must_use]
    pub fn has_tls(&self) -> bool {
        self.tls_self_signed || !self.tls_cert.as_os_str().is_empty()
    }

    fn check(&self) -> Result<(), ConfigError> {
        let rules = [
            (self.workers > 0, "--workers must be at least 1"),
            (self.max_channels > 0, "--max-channels must be at least 1"),
            (self.max_links > 0, "--max-links must be at least 1; for no lab, say --lab-port 0"),
            (self.max_lab_connections > 0, "--max-lab-connections must be at least 1; for no lab, say --lab-port 0"),
            (self.crowd_rate > 0, "--crowd-rate must be at least 1; for no crowds, say --crowd-subscribers 0"),
            (self.crowd_time.0 >= Duration::from_secs(1), "--crowd-time must be at least 1s"),
            (self.log_messages > 0, "--log-messages must be at least 1, for the newest message is always kept"),
            (self.max_message_size.0 > 0, "--max-message-size must be at least 1"),
            (self.max_message_size.0 <= 1 << 30, "--max-message-size must be at most 1GiB"),
            (
                self.log_bytes_total.0 >= self.max_message_size.0,
                "--log-bytes-total must be at least --max-message-size, or the largest messages could not be kept",
            ),
            (self.heartbeat.0 >= Duration::from_millis(100), "--heartbeat must be at least 100ms"),
            (self.stall_timeout.0 >= Duration::from_millis(100), "--stall-timeout must be at least 100ms"),
            (self.request_timeout.0 >= Duration::from_millis(100), "--request-timeout must be at least 100ms"),
            (
                self.tls_cert.as_os_str().is_empty() == self.tls_key.as_os_str().is_empty(),
                "--tls-cert and --tls-key belong together; give both or none",
            ),
            (
                !self.tls_self_signed || self.tls_cert.as_os_str().is_empty(),
                "--tls-self-signed and --tls-cert exclude each other; give one of them",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(ConfigError::Invalid(rule.to_owned())),
            None => Ok(()),
        }
    }

    /// What is taken as it is but has a price, for the log.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let rules = [
            (
                self.presence_grace.0 > self.poll_hold.0,
                "--presence-grace is not longer than --poll-hold: pollers hear again and again who is here",
            ),
            (
                self.channel_expiry.0 >= self.key_window.0,
                "--channel-expiry is shorter than --key-window: a channel that expires forgets its keys, \
                 and a repeated publication is then appended twice",
            ),
            (
                self.channel_expiry.0 >= PROMISED_EXPIRY,
                "--channel-expiry is shorter than the ten minutes that the protocol promises",
            ),
        ];
        rules.into_iter().filter(|(holds, _)| !holds).map(|(_, warning)| warning).collect()
    }

    /// Whether an address lets others than this machine in.
    #[must_use]
    pub const fn is_public(address: IpAddr) -> bool {
        !address.is_loopback()
    }
}

fn read(path: PathBuf) -> Result<Settings, ConfigError> {
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(ConfigError::Unreadable { path, source }),
    };
    toml::from_str(&text).map_err(|fault| ConfigError::BadFile { path, fault: Box::new(fault) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_and_printed() {
        for (text, bytes) in [("0", 0), ("1000", 1000), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2 GB", 2_000_000_000)] {
            assert_eq!(text.parse::<Size>(), Ok(Size(bytes)), "{text}");
        }
        for bad in ["", "-1", "1.5MiB", "1XB", "99999999999GiB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
        assert_eq!(Size(65_536).to_string(), "64KiB");
        assert_eq!("0".parse::<Period>(), Ok(Period(Duration::ZERO)));
        assert_eq!("1m 30s".parse::<Period>(), Ok(seconds(90)));
        assert!("soon".parse::<Period>().is_err());
    }

    #[test]
    fn the_labs_port_is_a_number_a_free_one_or_none() {
        for (text, port) in [("0", LabPort::Off), ("auto", LabPort::Free), ("9001", LabPort::Exactly(9001))] {
            assert_eq!(text.parse(), Ok(port), "{text}");
        }
        for bad in ["", "-1", "65536", "any"] {
            assert!(bad.parse::<LabPort>().is_err(), "{bad}");
        }
        let file: Settings = toml::from_str("lab-port = 9001").expect("a good file");
        assert_eq!(file.lab_port, Some(LabPort::Exactly(9001)));
        assert_eq!(Settings::default().complete().lab_port, LabPort::IfFree(8081));
    }

    #[test]
    fn what_is_set_wins_over_the_file_and_the_file_over_the_default() {
        let file: Settings = toml::from_str("port = 9000\nheartbeat = \"5s\"\nlog-bytes = 1024").expect("a good file");
        let set = Settings { port: Some(9001), ..Settings::default() };
        let config = set.or(file).complete();
        assert_eq!((config.port, config.heartbeat, config.log_bytes), (9001, seconds(5), Size(1024)));
        assert_eq!(config.poll_hold, seconds(25));
    }

    #[test]
    fn the_example_file_names_every_setting_with_its_default() {
        let is_setting = |line: &&str| line.starts_with('#') && line.contains(" = ") && !line.starts_with("# ");
        let lines = include_str!("../fallcast.example.toml").lines().filter(is_setting);
        let file = lines.map(|line| line.trim_start_matches('#')).collect::<Vec<_>>().join("\n");
        let settings: Settings = toml::from_str(&file).expect("all lines are settings");
        assert!(!format!("{settings:?}").contains("None"), "a setting is missing: {settings:?}");
        // A port that is written down is meant; only the default gives way to whoever has it.
        assert_eq!(settings.lab_port, Some(LabPort::Exactly(8081)));
        let settings = Settings { workers: None, lab_port: None, ..settings };
        let defaults = Settings::default().complete();
        assert_eq!(format!("{:?}", settings.complete()), format!("{defaults:?}"));
    }

    #[test]
    fn a_wrong_key_in_the_file_and_settings_that_contradict_each_other_are_refused() {
        assert!(toml::from_str::<Settings>("prot = 9000").is_err());
        let refused = |settings: Settings| Config::new(settings, None).is_err();
        assert!(refused(Settings { workers: Some(0), ..Settings::default() }));
        assert!(refused(Settings { tls_cert: Some("a".into()), ..Settings::default() }));
        let both = Settings { tls_cert: Some("a".into()), tls_key: Some("b".into()), ..Settings::default() };
        assert!(refused(Settings { tls_self_signed: Some(true), ..both }));
        assert!(!refused(Settings::default()));
    }

    #[test]
    fn settings_with_a_price_are_taken_with_a_warning() {
        let warnings = |settings: Settings| Config::new(settings, None).expect("a good configuration").warnings();
        assert!(warnings(Settings::default()).is_empty());
        let brief = Settings { channel_expiry: Some(seconds(299)), ..Settings::default() };
        assert_eq!(warnings(brief).len(), 2);
        let impatient = Settings { presence_grace: Some(seconds(25)), ..Settings::default() };
        assert_eq!(warnings(impatient).len(), 1);
    }
}
