//! Finds out what a regular expression for services would let in beside its host (S-033).
//!
//! The expression is walked as an automaton, so that a question is not "does it match this address" but "can anything
//! that begins like this still match": an attacker chooses the rest.

use std::collections::{HashMap, HashSet, VecDeque};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};

use crate::registry_url::{Parts, check_host};

/// What is known of an expression that passed.
#[derive(Debug)]
pub(crate) struct Lint {
    /// Whether it matches plain `http` addresses.
    pub(crate) http: bool,
}

/// Judges an expression that compiles. An error says in words what it lets in.
pub(crate) fn lint(pattern: &str, host: Option<&str>) -> Result<Lint, String> {
    let mut walk = Walk::new(pattern)?;
    let host = match host {
        Some(host) => check_host(host).map_err(|error| error.to_string())?,
        None => walk.derive_host()?,
    };
    walk.check_schemes()?;
    let mut named = false;
    let mut http = false;
    for scheme in ["https", "http"] {
        if !walk.alive(&format!("{scheme}:"))? {
            continue;
        }
        http |= scheme == "http";
        named |= walk.alive(&format!("{scheme}://{host}/"))?
            || walk.alive(&format!("{scheme}://{host}:"))?;
        walk.check_hosts(scheme, &host)?;
    }
    if named {
        Ok(Lint { http })
    } else {
        Err(format!(
            "it matches no address of {host}, whose canonical form begins https://{host}/"
        ))
    }
}

struct Walk {
    dfa: DFA,
    cache: Cache,
    start: LazyStateID,
}

impl Walk {
    fn new(pattern: &str) -> Result<Self, String> {
        let too_large = "it is too large to be checked";
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    // Every alternative stays in sight, not only the first that matches.
                    .match_kind(MatchKind::All)
                    // Addresses are ASCII here, so a Unicode word boundary needs no more than this.
                    .unicode_word_boundary(true)
                    .cache_capacity(CACHE_BYTES)
                    .skip_cache_capacity_check(true)
                    // States are kept by number: a cache that is full is an error, never cleared.
                    .minimum_cache_clear_count(Some(0)),
            )
            .thompson(thompson::Config::new().nfa_size_limit(Some(NFA_BYTES)))
            .build(pattern)
            .map_err(|_| too_large)?;
        let mut cache = dfa.create_cache();
        let start = dfa
            .start_state_forward(&mut cache, &Input::new("").anchored(Anchored::Yes))
            .map_err(|_| too_large)?;
        Ok(Self { dfa, cache, start })
    }

    /// The shortest host of an address that the expression matches.
    fn derive_host(&mut self) -> Result<String, String> {
        let none = "no host that it is meant for can be read from it";
        let address = self.shortest_origin()?.ok_or(none)?;
        let parts = Parts::parse(&address).map_err(|_| none)?;
        Ok(parts.host)
    }

    /// Only `https:` and `http:` may be the beginning.
    fn check_schemes(&mut self) -> Result<(), String> {
        for (prefix, allowed) in [
            ("", "h"),
            ("http", "s:"),
            ("https", ":"),
            ("https:", "/"),
            ("http:", "/"),
        ] {
            if let Some(byte) = self.open_byte(prefix, allowed, |byte| byte.is_ascii_uppercase())? {
                return Err(format!(
                    "it lets in addresses that begin {prefix}{byte} and are not https"
                ));
            }
        }
        Ok(())
    }

    fn check_hosts(&mut self, scheme: &str, host: &str) -> Result<(), String> {
        let at = format!("{scheme}://{host}");
        if let Some(byte) = self.open_byte(&at, ":/?#", |_| false)? {
            return Err(format!(
                "nothing ends the host: {at}{byte}… would pass, and with it {at}.evil.example/"
            ));
        }
        if let Some(byte) = self.open_byte(&format!("{at}:"), "0123456789", |_| false)? {
            return Err(format!("nothing ends the host: {at}:{byte}… would pass"));
        }
        for port in ["443", "80", "8080", "8443"] {
            if let Some(byte) =
                self.open_byte(&format!("{at}:{port}"), "0123456789/?#", |_| false)?
            {
                return Err(format!(
                    "nothing ends the port: {at}:{port}{byte}… would pass"
                ));
            }
        }
        // Ports that nobody writes out: an expression that takes one of them takes any.
        for port in ["7", "47", "474", "4747", "47474"] {
            if self.alive(&format!("{at}:{port}/"))? {
                return Err(format!("it lets any port in, such as {at}:{port}/"));
            }
        }
        for probe in probe_authorities(host) {
            if self.alive(&format!("{scheme}://{probe}/"))? {
                return Err(format!(
                    "it lets other hosts in, such as {scheme}://{probe}/"
                ));
            }
        }
        // Where no probe fits, count: a list of hosts is short, and an open host has no end.
        let after_slashes = self.after(&format!("{scheme}://"))?;
        if self.count_authorities(after_slashes, &mut HashMap::new())? > MOST_HOSTS {
            return Err("it leaves the host open".to_owned());
        }
        Ok(())
    }

    /// How many authorities (host and port) can stand between `state` and the next slash; `u64::MAX` where there is no end.
    fn count_authorities(
        &mut self,
        state: LazyStateID,
        counts: &mut HashMap<LazyStateID, Option<u64>>,
    ) -> Result<u64, String> {
        match counts.get(&state) {
            Some(Some(count)) => return Ok(*count),
            // On the way to itself: a cycle.
            Some(None) => return Ok(u64::MAX),
            None if counts.len() > MAX_STATES => {
                return Err("it is too large to be checked".to_owned());
            }
            None => counts.insert(state, None),
        };
        let slash = self.step(state, b'/')?;
        let mut count = u64::from(self.is_alive(slash)?);
        // Canonical authorities are in lower case.
        for byte in (b'a'..=b'z').chain(b'0'..=b'9').chain(*b".-:[]") {
            let next = self.step(state, byte)?;
            if !next.is_dead() {
                count = count.saturating_add(self.count_authorities(next, counts)?);
            }
        }
        counts.insert(state, Some(count));
        Ok(count)
    }

    /// Whether anything that begins with `prefix` can match.
    fn alive(&mut self, prefix: &str) -> Result<bool, String> {
        let state = self.after(prefix)?;
        self.is_alive(state)
    }

    /// A printable character that may follow `prefix`, not being one of `allowed` and not skipped.
    fn open_byte(
        &mut self,
        prefix: &str,
        allowed: &str,
        skip: impl Fn(u8) -> bool,
    ) -> Result<Option<char>, String> {
        let state = self.after(prefix)?;
        for byte in PRINTABLE {
            if allowed.as_bytes().contains(&byte) || skip(byte) {
                continue;
            }
            let next = self.step(state, byte)?;
            if self.is_alive(next)? {
                return Ok(Some(char::from(byte)));
            }
        }
        Ok(None)
    }

    fn after(&mut self, prefix: &str) -> Result<LazyStateID, String> {
        let mut state = self.start;
        for byte in prefix.bytes() {
            state = self.step(state, byte)?;
        }
        Ok(state)
    }

    fn step(&mut self, state: LazyStateID, byte: u8) -> Result<LazyStateID, String> {
        if state.is_dead() {
            return Ok(state);
        }
        self.dfa
            .next_state(&mut self.cache, state, byte)
            .map_err(|_| "it is too large to be checked".to_owned())
    }

    /// Whether the text that led to `state` matches whole.
    fn is_match(&mut self, state: LazyStateID) -> Result<bool, String> {
        if state.is_dead() {
            return Ok(false);
        }
        let end = self
            .dfa
            .next_eoi_state(&mut self.cache, state)
            .map_err(|_| "it is too large to be checked")?;
        Ok(end.is_match())
    }

    /// A match shows one byte late, so a state that is not dead may still lead nowhere: look one step further.
    fn is_alive(&mut self, state: LazyStateID) -> Result<bool, String> {
        if self.is_match(state)? {
            return Ok(true);
        }
        for byte in PRINTABLE {
            if !self.step(state, byte)?.is_dead() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The shortest beginning of a matching address that has its third slash, or the whole of one that has fewer.
    fn shortest_origin(&mut self) -> Result<Option<String>, String> {
        // Dots first: where the expression takes any character, the host shows it by its empty labels.
        let order: Vec<u8> = b"."
            .iter()
            .copied()
            .chain(b'a'..=b'z')
            .chain(PRINTABLE)
            .collect();
        let mut queue = VecDeque::from([(self.start, String::new())]);
        let mut seen = HashSet::from([(self.start, 0)]);
        while let Some((state, text)) = queue.pop_front() {
            let slashes = text.matches('/').count();
            if (slashes == 3 && self.is_alive(state)?) || self.is_match(state)? {
                return Ok(Some(text));
            }
            if slashes == 3 {
                continue;
            }
            if seen.len() > MAX_STATES {
                return Err("it is too large to be checked".to_owned());
            }
            for byte in &order {
                let next = self.step(state, *byte)?;
                if !next.is_dead() && seen.insert((next, slashes + usize::from(*byte == b'/'))) {
                    queue.push_back((next, format!("{text}{}", char::from(*byte))));
                }
            }
        }
        Ok(None)
    }
}

/// Hosts that belong to somebody else and look like `host` to a careless expression.
fn probe_authorities(host: &str) -> Vec<String> {
    let mut probes = vec![
        String::new(),
        "evil.example".to_owned(),
        format!("evil.example/{host}"),
        format!("evil{host}"),
        format!("evil.{host}"),
        format!("a.b.{host}"),
        format!("user@{host}"),
        format!("{host}@evil.example"),
        format!("{host}.evil.example"),
        format!("{host}."),
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
    ];
    for (dot, _) in host.match_indices('.') {
        for other in ["x", "-"] {
            probes.push(format!("{}{other}{}", &host[..dot], &host[dot + 1..]));
        }
    }
    if let Some((_, parent)) = host
        .split_once('.')
        .filter(|(_, parent)| parent.contains('.'))
    {
        probes.push(format!("evil-twin.{parent}"));
        probes.push(parent.to_owned());
    }
    probes.retain(|probe| probe != host);
    probes
}

const PRINTABLE: std::ops::RangeInclusive<u8> = 0x21..=0x7e;

const NFA_BYTES: usize = 1 << 20;

const CACHE_BYTES: usize = 4 << 20;

const MAX_STATES: usize = 4096;

/// Three free letters, or four digits, in a host are a list that an operator may mean.
const MOST_HOSTS: u64 = 100_000;
