//! Links: which of them there are, what is wrong with each, and whose they are.
//!
//! A link is created by whoever sets its faults first, and only its secret, or an operator, changes it afterwards. The
//! control addresses ask from the server's workers, the relay from the lab's own thread. Exchanges hold on to their link
//! ([`Exchange`]) and are told when its faults change.

use std::{
    collections::HashMap,
    fmt,
    future::pending,
    hint::black_box,
    str::FromStr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Serialize, Serializer};
use thiserror::Error;
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::Instant,
};

use super::{
    faults::{ExchangeKind, Faults},
    tap::{Tap, TappedLink, Traffic},
};
use crate::guard::random_secret;

/// How many changes of a link are kept for an exchange that has not seen them yet. Then the oldest are forgotten.
const UNSEEN_CHANGES: usize = 16;

/// For how long after its last use a link with an owner does not give way to another one.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// The bounds of a registry.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// How many links there are at most.
    pub links: usize,
    /// After how long without an exchange or a change a link is forgotten.
    pub expiry: Duration,
}

/// The name of a link: 1 to 60 letters, digits, hyphens and underscores. The name of its tap is a channel's, hence four
/// characters shorter than a channel's may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName(Arc<str>);

/// A text is no name of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a link's name is 1 to 60 letters, digits, hyphens and underscores")]
pub struct BadLinkName;

/// Who wants to change a link.
#[derive(Clone, Copy, Debug)]
pub enum Authority<'a> {
    /// An operator, who may change any.
    Operator,
    /// Anybody, with the secret that they have.
    Secret(Option<&'a str>),
}

/// What setting faults has done.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// The link is new, and belongs to whoever has this secret.
    Created {
        /// 128 random bits in hexadecimal.
        secret: String,
    },
    /// The link was there, and its faults have been replaced.
    Changed,
}

/// Why a link is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LinkError {
    /// It belongs to somebody else.
    #[error(
        "this link was created by somebody else; send the secret that its creator was given, or choose another name"
    )]
    NotYours,
    /// There are as many links as there may be, all in use.
    #[error("there is no room for another link (--max-links)")]
    Full,
}

/// A link as it is shown. Its secret is not.
#[derive(Clone, Debug, Serialize)]
pub struct LinkView {
    /// Its name.
    pub link: LinkName,
    /// What is wrong with it.
    pub faults: Arc<Faults>,
    /// How many exchanges are open.
    pub exchanges: usize,
    /// How many there have been, the open ones included.
    pub total: u64,
    /// How much they have carried; `None` if nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// What is wrong with a link, and since when.
#[derive(Clone, Debug)]
struct Setting {
    faults: Arc<Faults>,
    since: Instant,
    /// The number of the first exchange that began with these faults.
    first: u64,
}

/// All links of one server.
#[derive(Debug)]
pub struct Links {
    by_name: Mutex<HashMap<LinkName, Link>>,
    /// How many links there have been.
    lives: AtomicU64,
    limits: LinkLimits,
    /// What is recorded of them, if anything is.
    tap: Option<Arc<Tap>>,
}

#[derive(Debug)]
struct Link {
    /// `None` as long as nobody has created the link: it is healthy, and there only while it is used.
    secret: Option<String>,
    setting: Setting,
    changes: broadcast::Sender<Setting>,
    /// Which link this is, since others have had its name before.
    life: u64,
    exchanges: usize,
    total: u64,
    used: Instant,
    tapped: Option<Arc<TappedLink>>,
}

/// One exchange on a link, from its request to the last byte. Dropping it tells the link that it is over.
#[derive(Debug)]
pub struct Exchange {
    kind: ExchangeKind,
    link: Option<Attached>,
}

#[derive(Debug)]
struct Attached {
    links: Arc<Links>,
    name: LinkName,
    life: u64,
    number: u64,
    setting: Setting,
    changes: broadcast::Receiver<Setting>,
    tapped: Option<Arc<TappedLink>>,
}

/// What is wrong for one exchange, and since when.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The faults; none if they are for exchanges of another kind.
    pub faults: Arc<Faults>,
    /// When they were set, or when there was nothing to set.
    pub since: Instant,
    /// Which exchange since then this is. Those that were open when the faults were set count back from −1.
    pub ordinal: i64,
}

impl Conditions {
    /// Nothing is wrong.
    #[must_use]
    pub fn healthy() -> Self {
        Self { faults: Arc::default(), since: Instant::now(), ordinal: 0 }
    }

    /// Whether the exchange was open already when the faults were set.
    #[must_use]
    pub const fn came_later(&self) -> bool {
        self.ordinal < 0
    }
}

impl Links {
    /// Returns a registry without links. What they carry is recorded if there is a tap.
    #[must_use]
    pub fn new(limits: LinkLimits, tap: Option<Arc<Tap>>) -> Self {
        Self { by_name: Mutex::default(), lives: AtomicU64::new(0), limits, tap }
    }

    /// What is recorded of them, if anything is.
    #[must_use]
    pub const fn tap(&self) -> Option<&Arc<Tap>> {
        self.tap.as_ref()
    }

    /// Sets a link's faults, in place of all that it had. The link is created if nobody has done so yet.
    ///
    /// # Errors
    /// Refuses if the link is somebody else's, or new and without room.
    pub fn put(&self, name: &LinkName, faults: Faults, authority: Authority<'_>) -> Result<Put, LinkError> {
        let mut links = self.lock();
        if !links.contains_key(name) {
            make_room(&mut links, self.limits.links, Link::may_give_way)?;
        }
        let link = links.entry(name.clone()).or_insert_with(|| self.new_link(name));
        match &link.secret {
            Some(secret) if !authority.suffices(secret) => Err(LinkError::NotYours),
            Some(_) => {
                link.set(faults);
                Ok(Put::Changed)
            }
            None => {
                let secret = random_secret();
                link.secret = Some(secret.clone());
                link.set(faults);
                Ok(Put::Created { secret })
            }
        }
    }

    /// Shows a link, if there is one of that name.
    #[must_use]
    pub fn show(&self, name: &LinkName) -> Option<LinkView> {
        self.lock().get(name).map(|link| link.view(name))
    }

    /// Shows all links, by name.
    #[must_use]
    pub fn all(&self) -> Vec<LinkView> {
        let mut views: Vec<_> = self.lock().iter().map(|(name, link)| link.view(name)).collect();
        views.sort_unstable_by(|one, other| one.link.cmp(&other.link));
        views
    }

    /// Heals a link at once and forgets its secret. False if nobody has created it.
    ///
    /// # Errors
    /// Refuses if the link is somebody else's.
    pub fn heal(&self, name: &LinkName, authority: Authority<'_>) -> Result<bool, LinkError> {
        let mut links = self.lock();
        let Some(link) = links.get_mut(name) else { return Ok(false) };
        let Some(secret) = &link.secret else { return Ok(false) };
        if !authority.suffices(secret) {
            return Err(LinkError::NotYours);
        }
        link.heal();
        if link.exchanges == 0 {
            links.remove(name);
        }
        Ok(true)
    }

    /// Forgets the links that nobody has used for too long.
    pub fn sweep(&self) {
        let expiry = self.limits.expiry;
        self.lock().retain(|_, link| link.exchanges > 0 || link.used.elapsed() < expiry);
        if let Some(tap) = &self.tap {
            tap.sweep();
        }
    }

    /// Lets an exchange begin on a link. If there is no such link it is there from now on, healthy, while it is used.
    #[must_use]
    pub fn attach(self: &Arc<Self>, name: &LinkName, kind: ExchangeKind) -> Exchange {
        let mut links = self.lock();
        if !links.contains_key(name) && make_room(&mut links, self.limits.links, Link::is_nobodys).is_err() {
            // A name that anybody may make up takes no link from its owner, and one without faults is as good as none.
            return Exchange::healthy(kind);
        }
        let link = links.entry(name.clone()).or_insert_with(|| self.new_link(name));
        let attached = Attached {
            links: Arc::clone(self),
            name: name.clone(),
            life: link.life,
            number: link.total,
            setting: link.setting.clone(),
            changes: link.changes.subscribe(),
            tapped: link.tapped.clone(),
        };
        link.exchanges += 1;
        link.total += 1;
        link.used = Instant::now();
        Exchange { kind, link: Some(attached) }
    }

    fn detach(&self, attached: &Attached) {
        let mut links = self.lock();
        let Some(link) = links.get_mut(&attached.name) else { return };
        if link.life != attached.life {
            // The link gave way while it was nobody's, and this is another of the same name.
            return;
        }
        link.exchanges -= 1;
        link.used = Instant::now();
        if link.exchanges == 0 && link.is_nobodys() {
            links.remove(&attached.name);
        }
    }

    fn new_link(&self, name: &LinkName) -> Link {
        let now = Instant::now();
        Link {
            secret: None,
            setting: Setting { faults: Arc::default(), since: now, first: 0 },
            changes: broadcast::Sender::new(UNSEEN_CHANGES),
            life: self.lives.fetch_add(1, Ordering::Relaxed),
            exchanges: 0,
            total: 0,
            used: now,
            tapped: self.tap.as_ref().and_then(|tap| tap.link(name)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LinkName, Link>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes room for another link, if one may give way: one that is nobody's, or else the one that has been unused the longest.
fn make_room(
    links: &mut HashMap<LinkName, Link>,
    most: usize,
    may_give_way: impl Fn(&Link) -> bool,
) -> Result<(), LinkError> {
    if links.len() < most {
        return Ok(());
    }
    let give_way = links.iter().filter(|(_, link)| may_give_way(link));
    let (name, _) = give_way.min_by_key(|(_, link)| (!link.is_nobodys(), link.used)).ok_or(LinkError::Full)?;
    let name = name.clone();
    links.remove(&name);
    Ok(())
}

impl Link {
    /// Whether nobody has created it.
    const fn is_nobodys(&self) -> bool {
        self.secret.is_none()
    }

    /// Whether it may give way to a link that somebody creates.
    fn may_give_way(&self) -> bool {
        self.is_nobodys() || (self.exchanges == 0 && self.used.elapsed() >= KEPT_FOR)
    }

    fn set(&mut self, mut faults: Faults) {
        faults.seed.get_or_insert_with(|| fastrand::u32(..));
        self.replace(faults);
    }

    fn heal(&mut self) {
        self.secret = None;
        self.replace(Faults::default());
    }

    fn replace(&mut self, faults: Faults) {
        self.used = Instant::now();
        self.setting = Setting { faults: Arc::new(faults), since: self.used, first: self.total };
        // Nobody listens when no exchange is open.
        let _ = self.changes.send(self.setting.clone());
    }

    fn view(&self, name: &LinkName) -> LinkView {
        let faults = Arc::clone(&self.setting.faults);
        let traffic = self.tapped.as_ref().map(|tapped| tapped.counters.read());
        LinkView { link: name.clone(), faults, exchanges: self.exchanges, total: self.total, traffic }
    }
}

impl Exchange {
    /// An exchange on no link.
    #[must_use]
    pub const fn healthy(kind: ExchangeKind) -> Self {
        Self { kind, link: None }
    }

    /// The kind of exchange.
    #[must_use]
    pub const fn kind(&self) -> ExchangeKind {
        self.kind
    }

    /// Where it is recorded, if it is on a link.
    #[must_use]
    pub fn tapped(&self) -> Option<Arc<TappedLink>> {
        self.link.as_ref()?.tapped.clone()
    }

    /// What is wrong, as far as it was told.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        let Some(attached) = &self.link else { return Conditions::healthy() };
        let setting = &attached.setting;
        let faults = if setting.faults.are_for(self.kind) { Arc::clone(&setting.faults) } else { Arc::default() };
        let ordinal = attached.number.cast_signed() - setting.first.cast_signed();
        Conditions { faults, since: setting.since, ordinal }
    }

    /// Waits until something else is wrong, and returns it. Without a link, nothing ever changes.
    ///
    /// Each change is told in its turn, for even a fault that is healed at once may have cut an exchange meanwhile. It may
    /// be dropped and called again without a change being missed.
    pub async fn changed(&mut self) -> Conditions {
        let Some(attached) = &mut self.link else { return pending().await };
        loop {
            match attached.changes.recv().await {
                Ok(setting) => {
                    attached.setting = setting;
                    return self.conditions();
                }
                Err(RecvError::Lagged(_)) => {}
                // The link has given way to another; for this exchange nothing changes any more.
                Err(RecvError::Closed) => return pending().await,
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(attached) = self.link.take() {
            attached.links.detach(&attached);
        }
    }
}

impl Authority<'_> {
    fn suffices(self, secret: &str) -> bool {
        match self {
            Self::Operator => true,
            Self::Secret(given) => given.is_some_and(|given| is_equal_in_constant_time(given, secret)),
        }
    }
}

/// Compares all bytes in any case, so that the time it takes does not tell how many of them are right.
fn is_equal_in_constant_time(given: &str, secret: &str) -> bool {
    let differences = given.bytes().zip(secret.bytes()).fold(0, |found, (one, other)| black_box(found | (one ^ other)));
    given.len() == secret.len() && differences == 0
}

impl LinkName {
    /// How many characters a name has at most.
    pub const MAX: usize = 60;

    /// The name as it stands in an address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkName {
    type Err = BadLinkName;

    fn from_str(text: &str) -> Result<Self, BadLinkName> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_name = (1..=Self::MAX).contains(&text.len()) && text.bytes().all(is_word);
        is_name.then(|| Self(text.into())).ok_or(BadLinkName)
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for LinkName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn links(most: usize) -> Arc<Links> {
        Arc::new(Links::new(LinkLimits { links: most, expiry: HOUR }, None))
    }

    fn name(text: &str) -> LinkName {
        text.parse().expect("a good name")
    }

    fn slow() -> Faults {
        Faults::parse(br#"{"latency_ms": 100, "only": ["sse"]}"#).expect("good faults")
    }

    #[track_caller]
    fn created(links: &Links, text: &str) -> String {
        match links.put(&name(text), slow(), Authority::Secret(None)) {
            Ok(Put::Created { secret }) => secret,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Lets as much time pass for all links as they are kept for.
    fn grow_old(links: &Links) {
        for link in links.lock().values_mut() {
            link.used = link.used.checked_sub(KEPT_FOR).expect("the clock began long ago");
        }
    }

    #[test]
    fn names_keep_to_their_rule() {
        assert!("a-B_9".parse::<LinkName>().is_ok());
        for bad in ["", "a b", "a.b", "ä", "a%20", &"x".repeat(61)] {
            assert_eq!(bad.parse::<LinkName>(), Err(BadLinkName), "{bad}");
        }
    }

    #[test]
    fn only_the_secret_or_an_operator_changes_a_link() {
        let links = links(9);
        let secret = created(&links, "mine");
        for wrong in [None, Some(""), Some("0"), Some(&secret[1..]), Some(&format!("{secret}0"))] {
            assert_eq!(links.put(&name("mine"), slow(), Authority::Secret(wrong)), Err(LinkError::NotYours));
            assert_eq!(links.heal(&name("mine"), Authority::Secret(wrong)), Err(LinkError::NotYours));
        }
        assert_eq!(links.put(&name("mine"), slow(), Authority::Secret(Some(&secret))), Ok(Put::Changed));
        assert_eq!(links.put(&name("mine"), slow(), Authority::Operator), Ok(Put::Changed));
        assert_eq!(links.heal(&name("mine"), Authority::Secret(Some(&secret))), Ok(true));
    }

    #[test]
    fn who_creates_a_healed_link_again_has_another_secret() {
        let links = links(9);
        let first = created(&links, "mine");
        assert_eq!(links.heal(&name("mine"), Authority::Operator), Ok(true));
        assert_eq!(links.heal(&name("mine"), Authority::Operator), Ok(false), "there is nothing to heal");
        assert_ne!(created(&links, "mine"), first);
    }

    #[test]
    fn a_link_that_nobody_created_is_there_while_it_is_used() {
        let links = links(9);
        let exchange = links.attach(&name("new"), ExchangeKind::Sse);
        let view = links.show(&name("new")).expect("it is used");
        assert_eq!((view.exchanges, view.total, &*view.faults), (1, 1, &Faults::default()));
        drop(exchange);
        assert!(links.show(&name("new")).is_none());
    }

    #[tokio::test]
    async fn exchanges_are_counted_and_numbered_from_the_last_change() {
        let links = links(9);
        created(&links, "mine");
        let mut open = links.attach(&name("mine"), ExchangeKind::Sse);
        drop(links.attach(&name("mine"), ExchangeKind::Sse));
        links.put(&name("mine"), slow(), Authority::Operator).expect("an operator may");
        let later = links.attach(&name("mine"), ExchangeKind::Sse);

        let view = links.show(&name("mine")).expect("it was created");
        assert_eq!((view.exchanges, view.total), (2, 3));
        let open = open.changed().await;
        assert_eq!(open.ordinal, -2);
        assert!(open.came_later());
        assert_eq!(later.conditions().ordinal, 0);
        assert!(!later.conditions().came_later());
    }

    #[test]
    fn every_link_has_a_seed() {
        let links = links(9);
        created(&links, "mine");
        assert!(links.show(&name("mine")).is_some_and(|view| view.faults.seed.is_some()));
    }

    #[tokio::test]
    async fn open_exchanges_hear_of_every_change() {
        let links = links(9);
        let mut exchange = links.attach(&name("mine"), ExchangeKind::Sse);
        let mut other_kind = links.attach(&name("mine"), ExchangeKind::Poll);
        assert_eq!(*exchange.conditions().faults, Faults::default());

        created(&links, "mine");
        assert!(exchange.changed().await.faults.latency_ms.is_some());
        assert_eq!(*other_kind.changed().await.faults, Faults::default(), "the faults are for another kind");

        links.heal(&name("mine"), Authority::Operator).expect("an operator may");
        assert_eq!(*exchange.changed().await.faults, Faults::default());
    }

    #[tokio::test]
    async fn changes_are_told_one_after_the_other_and_only_the_last_ones_if_there_are_too_many() {
        let links = links(9);
        created(&links, "mine");
        let seeds = |seeds: std::ops::Range<u32>| {
            for seed in seeds {
                let faults = Faults { seed: Some(seed), ..Faults::default() };
                links.put(&name("mine"), faults, Authority::Operator).expect("an operator may");
            }
        };
        let mut exchange = links.attach(&name("mine"), ExchangeKind::Sse);
        seeds(0..3);
        for seed in 0..3 {
            assert_eq!(exchange.changed().await.faults.seed, Some(seed));
        }
        seeds(0..100);
        assert_eq!(exchange.changed().await.faults.seed, Some(84));
    }

    #[test]
    fn when_there_is_no_room_the_link_gives_way_that_has_been_unused_the_longest() {
        let links = links(3);
        for name in ["old", "older", "used"] {
            created(&links, name);
        }
        let _exchange = links.attach(&name("used"), ExchangeKind::Sse);
        links.put(&name("old"), slow(), Authority::Operator).expect("an operator may");
        assert_eq!(links.put(&name("new"), slow(), Authority::Operator), Err(LinkError::Full), "all are in use");

        grow_old(&links);
        created(&links, "new");
        let left: Vec<_> = links.all().into_iter().map(|view| view.link.to_string()).collect();
        assert_eq!(left, ["new", "old", "used"]);
    }

    #[test]
    fn no_link_of_anybodys_gives_way_to_a_name_that_is_made_up() {
        let links = links(1);
        let secret = created(&links, "mine");
        grow_old(&links);

        let beyond = links.attach(&name("made-up"), ExchangeKind::Sse);
        assert!(beyond.link.is_none(), "it is healthy");
        assert_eq!(links.put(&name("mine"), slow(), Authority::Secret(Some(&secret))), Ok(Put::Changed));
    }

    #[test]
    fn a_link_of_nobodys_gives_way_although_it_is_used() {
        let links = links(1);
        let _former = links.attach(&name("a"), ExchangeKind::Sse);
        let _present = links.attach(&name("b"), ExchangeKind::Sse);
        assert!(links.show(&name("a")).is_none());
        created(&links, "c");
        assert!(links.show(&name("b")).is_none());
    }

    #[test]
    fn an_exchange_whose_link_gave_way_does_not_count_for_the_next_of_that_name() {
        let links = links(1);
        let former = links.attach(&name("a"), ExchangeKind::Sse);
        created(&links, "b");
        links.heal(&name("b"), Authority::Operator).expect("an operator may");
        let _present = links.attach(&name("a"), ExchangeKind::Sse);
        drop(former);
        assert_eq!(links.show(&name("a")).map(|view| view.exchanges), Some(1));
    }

    #[test]
    fn links_expire_when_nobody_uses_them() {
        let soon = Arc::new(Links::new(LinkLimits { links: 9, expiry: Duration::ZERO }, None));
        created(&soon, "unused");
        created(&soon, "used");
        let _exchange = soon.attach(&name("used"), ExchangeKind::Sse);
        soon.sweep();
        let left: Vec<_> = soon.all().into_iter().map(|view| view.link.to_string()).collect();
        assert_eq!(left, ["used"]);

        let later = links(9);
        created(&later, "unused");
        later.sweep();
        assert!(later.show(&name("unused")).is_some(), "its hour is not over");
    }
}
