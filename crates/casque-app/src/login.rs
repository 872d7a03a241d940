//! Login state: what this browser asked for before it was sent to log in (S-054).
//!
//! It travels in a sealed cookie, so that a ticket can only be used by the browser that started the
//! login, and the page asked for never stands in the service URL.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::keys::{KeyRing, random};

const PURPOSE: &str = "casque-app login state 1";

/// Logins that can be under way in one browser at once, in as many tabs.
const MAX_PENDING: usize = 8;

/// Longest cookie value that all browsers keep, less room for the name and attributes.
const MAX_COOKIE: usize = 3900;

/// How long a person may take at the CAS server's form, in seconds.
pub(crate) const LOGIN_SECONDS: u64 = 10 * 60;

/// How long a gateway attempt is remembered, in seconds (S-045).
pub(crate) const GATEWAY_SECONDS: u64 = 120;

/// So many returns from the CAS server for one page within [`LOOP_SECONDS`] are a loop (SC-032).
pub(crate) const LOOP_LOGINS: usize = 3;

/// See [`LOOP_LOGINS`].
pub(crate) const LOOP_SECONDS: u64 = 20;

/// Length of a marker: what kind it is, and 128 random bits as base64url.
const MARKER_CHARS: usize = 23;

/// First character of the marker of a gateway attempt.
const GATEWAY: char = 'g';

/// First character of the marker of a login.
const LOGIN: char = 't';

/// One login that this browser has started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingLogin {
    /// Stands in this login's service URL, where the application binds tickets to logins.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub(crate) marker: Option<String>,
    /// Path and query of the page asked for, as the browser sees them. Known to be ours: it comes
    /// from our own request line or has been checked, and the cookie is sealed.
    #[serde(rename = "p")]
    pub(crate) page: String,
    /// Which own address the login was started at.
    #[serde(rename = "s", default)]
    pub(crate) site: usize,
    /// When, in seconds of the Unix epoch.
    #[serde(rename = "t")]
    pub(crate) started: u64,
    /// How many tickets have been refused in this login.
    #[serde(rename = "a", default)]
    pub(crate) refused: u8,
    /// Credentials were asked for anew.
    #[serde(rename = "r", default)]
    pub(crate) renew: bool,
    /// Nothing was to be asked of the user.
    #[serde(rename = "g", default)]
    pub(crate) gateway: bool,
}

impl PendingLogin {
    /// The page asked for: path and query.
    pub fn page(&self) -> &str {
        &self.page
    }

    /// Whether credentials were asked for anew.
    pub fn renew(&self) -> bool {
        self.renew
    }

    /// Whether the server was told to ask nothing of the user.
    pub fn gateway(&self) -> bool {
        self.gateway
    }
}

/// Everything one browser's cookie says about logins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoginState {
    #[serde(rename = "p", default)]
    pending: Vec<PendingLogin>,
    /// When the CAS server sent the browser back for `completed_page`.
    #[serde(rename = "c", default)]
    completed: Vec<u64>,
    #[serde(rename = "l", default)]
    completed_page: String,
    /// When a gateway attempt came back without a ticket.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    gateway_tried: Option<u64>,
}

impl LoginState {
    /// Reads the cookie; anything odd is an empty state.
    pub(crate) fn open(ring: &KeyRing, cookie: Option<&str>, now: u64) -> Self {
        let mut state: Self = cookie
            .and_then(|text| ring.open(PURPOSE, text))
            .and_then(|plain| serde_json::from_slice(&plain).ok())
            .unwrap_or_default();
        let recent = |at: u64, seconds: u64| at <= now && now - at < seconds;
        state
            .pending
            .retain(|login| recent(login.started, LOGIN_SECONDS));
        state.completed.retain(|at| recent(*at, LOOP_SECONDS));
        state.gateway_tried = state
            .gateway_tried
            .filter(|at| recent(*at, GATEWAY_SECONDS));
        state
    }

    /// The cookie's value and its age in seconds, or `None` where there is nothing to remember.
    ///
    /// What does not fit is forgotten, the oldest login first. A page that is too long for a cookie
    /// all by itself becomes the landing page: the login still works.
    pub(crate) fn seal(mut self, ring: &KeyRing, landing: &str) -> Option<(String, u64)> {
        let age = if !self.pending.is_empty() {
            LOGIN_SECONDS
        } else if self.gateway_tried.is_some() {
            GATEWAY_SECONDS
        } else if !self.completed.is_empty() {
            LOOP_SECONDS
        } else {
            return None;
        };
        loop {
            let plain = serde_json::to_vec(&self).expect("strings and numbers are JSON");
            let sealed = ring.seal(PURPOSE, &plain);
            if sealed.len() <= MAX_COOKIE {
                return Some((sealed, age));
            }
            match self.pending.as_mut_slice() {
                [login] if login.page != landing => landing.clone_into(&mut login.page),
                [] => return None,
                _ => {
                    self.pending.remove(0);
                }
            }
        }
    }

    /// Adds a login, with a marker of its own where tickets are bound to logins. A page asked for
    /// twice is one login.
    pub(crate) fn start(&mut self, mut login: PendingLogin, marked: bool) -> PendingLogin {
        login.marker = None;
        let same = |other: &PendingLogin| {
            other.page == login.page
                && other.site == login.site
                && other.renew == login.renew
                && other.gateway == login.gateway
        };
        if let Some(at) = self.pending.iter().position(same) {
            let old = self.pending.remove(at);
            login.marker = old.marker.filter(|_| marked);
        }
        if marked && login.marker.is_none() {
            login.marker = Some(new_marker(login.gateway));
        }
        self.pending.push(login.clone());
        if self.pending.len() > MAX_PENDING {
            self.pending.remove(0);
        }
        login
    }

    /// Takes the login that a return to this own address with this marker belongs to: without
    /// markers the newest.
    pub(crate) fn finish(&mut self, site: usize, marker: Option<&str>) -> Option<PendingLogin> {
        let at = self
            .pending
            .iter()
            .rposition(|login| login.site == site && login.marker.as_deref() == marker)?;
        Some(self.pending.remove(at))
    }

    /// Takes the gateway attempt that may have come back without a ticket. The CAS server asks
    /// nothing then, so it comes back soon.
    pub(crate) fn finish_gateway(&mut self, site: usize, now: u64) -> Option<PendingLogin> {
        let at = self.pending.iter().rposition(|login| {
            login.gateway
                && login.site == site
                && login.marker.is_none()
                && now.saturating_sub(login.started) < GATEWAY_SECONDS
        })?;
        Some(self.pending.remove(at))
    }

    /// Counts a return from the CAS server that is over.
    pub(crate) fn completed(&mut self, page: &str, now: u64) {
        if self.completed_page != beginning(page) {
            self.completed.clear();
            beginning(page).clone_into(&mut self.completed_page);
        }
        self.completed.push(now);
    }

    /// Whether the browser comes back for this page again and again without it ever being enough.
    pub(crate) fn loops(&self, page: &str) -> bool {
        self.completed.len() >= LOOP_LOGINS && beginning(page) == self.completed_page
    }

    /// Forgets completed logins, so that "try again" tries again.
    pub(crate) fn forget_completed(&mut self) {
        self.completed.clear();
    }

    /// Remembers that the CAS server knows nobody in this browser for now (R-037).
    pub(crate) fn gateway_returned(&mut self, now: u64) {
        self.gateway_tried = Some(now);
    }

    pub(crate) fn gateway_tried(&self) -> bool {
        self.gateway_tried.is_some()
    }

    pub(crate) fn gateway_forgotten(&mut self) {
        self.gateway_tried = None;
    }
}

/// Enough of a page to tell that it is asked for again, and short enough for a cookie.
fn beginning(page: &str) -> &str {
    page.get(..64).unwrap_or(page)
}

/// Whether text can be a marker, so that nothing else reaches a service URL.
pub(crate) fn is_marker(text: &str) -> bool {
    text.len() == MARKER_CHARS
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Whether a marker says that the CAS server was to ask nothing of the user.
pub(crate) fn is_gateway_marker(marker: &str) -> bool {
    marker.starts_with(GATEWAY)
}

fn new_marker(gateway: bool) -> String {
    let kind = if gateway { GATEWAY } else { LOGIN };
    format!("{kind}{}", URL_SAFE_NO_PAD.encode(random::<16>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    fn ring() -> KeyRing {
        KeyRing::new(&SecretKey::new([1; 32]), &[])
    }

    fn login(page: &str, started: u64) -> PendingLogin {
        PendingLogin {
            marker: None,
            page: page.to_owned(),
            site: 0,
            started,
            refused: 0,
            renew: false,
            gateway: false,
        }
    }

    #[test]
    fn without_markers_the_newest_login_is_finished_first() {
        let mut state = LoginState::default();
        for (page, now) in [("/a", 0), ("/b", 1), ("/a", 2)] {
            assert_eq!(state.start(login(page, now), false).marker, None);
        }
        let (cookie, _) = state.seal(&ring(), "/").unwrap();
        let mut state = LoginState::open(&ring(), Some(&cookie), 3);
        assert_eq!(state.finish(1, None), None, "another own address");
        assert_eq!(state.finish(0, Some("t")), None);
        assert_eq!(state.finish(0, None).unwrap().page, "/a");
        assert_eq!(state.finish(0, None).unwrap().page, "/b");
        assert_eq!(state.finish(0, None), None, "a page asked twice is one");
        assert_eq!(state.seal(&ring(), "/"), None);
    }

    #[test]
    fn markers_tell_tabs_apart() {
        let mut state = LoginState::default();
        let first = state.start(login("/a", 0), true).marker.unwrap();
        let second = state.start(login("/b", 1), true).marker.unwrap();
        assert!(is_marker(&first) && is_marker(&second) && first != second);
        assert!(!is_gateway_marker(&first));
        let again = state.start(login("/a", 2), true).marker.unwrap();
        assert_eq!(again, first, "the same page again");
        assert_eq!(state.finish(0, None), None);
        assert_eq!(state.finish(0, Some(&first)).unwrap().page, "/a");
        assert_eq!(state.finish(0, Some(&first)), None, "finished once");
        assert_eq!(state.finish(0, Some(&second)).unwrap().page, "/b");
    }

    #[test]
    fn a_gateway_attempt_comes_back_soon_or_not_at_all() {
        let mut state = LoginState::default();
        let mut gateway = login("/a", 100);
        gateway.gateway = true;
        state.start(gateway, false);
        state.start(login("/b", 100), false);
        let back = |now| state.clone().finish_gateway(0, now);
        assert_eq!(back(100).unwrap().page, "/a");
        assert!(back(100 + GATEWAY_SECONDS - 1).is_some());
        assert_eq!(back(100 + GATEWAY_SECONDS), None);
    }

    #[test]
    fn logins_end_at_the_exact_second() {
        let mut state = LoginState::default();
        state.start(login("/a", 100), false);
        let (cookie, age) = state.seal(&ring(), "/").unwrap();
        assert_eq!(age, LOGIN_SECONDS);
        let open = |now| LoginState::open(&ring(), Some(&cookie), now).finish(0, None);
        assert!(open(100 + LOGIN_SECONDS - 1).is_some());
        assert!(open(100 + LOGIN_SECONDS).is_none());
        assert!(open(99).is_none(), "started in the future");
    }

    #[test]
    fn the_cookie_stays_small_and_keeps_the_newest() {
        let mut state = LoginState::default();
        for tab in 0..20 {
            state.start(login(&format!("/{tab}?{}", "q".repeat(1900)), tab), false);
        }
        let (cookie, _) = state.seal(&ring(), "/").unwrap();
        assert!(cookie.len() <= MAX_COOKIE, "{}", cookie.len());
        let state = LoginState::open(&ring(), Some(&cookie), 30);
        assert!(state.pending.last().unwrap().page.starts_with("/19?"));
    }

    #[test]
    fn a_page_too_long_for_a_cookie_becomes_the_landing_page() {
        for (length, kept) in [(2700, true), (3000, false), (60_000, false)] {
            let mut state = LoginState::default();
            state.start(login("/other", 0), false);
            let page = format!("/?{}", "q".repeat(length));
            state.start(login(&page, 1), false);
            let (cookie, _) = state.seal(&ring(), "/home").unwrap();
            assert!(cookie.len() <= MAX_COOKIE, "{}", cookie.len());
            let back = LoginState::open(&ring(), Some(&cookie), 2).finish(0, None);
            assert_eq!(back.unwrap().page, if kept { &page } else { "/home" });
        }
    }

    #[test]
    fn completed_logins_of_one_page_are_counted_and_forgotten_in_time() {
        let mut state = LoginState::default();
        for now in 0..LOOP_LOGINS as u64 {
            assert!(!state.loops("/a"));
            state.completed("/a", now);
        }
        assert!(state.loops("/a"));
        assert!(!state.loops("/b"));
        let (cookie, age) = state.seal(&ring(), "/").unwrap();
        assert_eq!(age, LOOP_SECONDS);
        assert!(LoginState::open(&ring(), Some(&cookie), LOOP_SECONDS - 1).loops("/a"));
        assert!(!LoginState::open(&ring(), Some(&cookie), LOOP_SECONDS).loops("/a"));
    }

    #[test]
    fn anything_odd_is_an_empty_state() {
        let sealed = ring().seal(PURPOSE, b"{\"p\":7}");
        let other = ring().seal("another purpose", b"{}");
        for cookie in [
            None,
            Some(""),
            Some("x"),
            Some(sealed.as_str()),
            Some(other.as_str()),
        ] {
            assert_eq!(LoginState::open(&ring(), cookie, 0), LoginState::default());
        }
    }
}
