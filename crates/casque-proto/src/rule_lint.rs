//! Finds out what a regular expression for services would let in beside its host (S-033).
//!
//! The expression is walked as an automaton, so that a question is not "does it match this address" but "can anything
//! that begins like this still match": an attacker chooses the rest.

use std::collections::{HashMap, HashSet, VecDeque};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};

use crate::registry_url::{MAX_REGISTRY_URL_BYTES, Parts, RegistryUrl, check_host};

/// What is known of an expression that passed.
#[derive(Debug)]
pub(crate) struct Lint {
    /// Whether it matches plain `http` addresses.
    pub(crate) http: bool,
}

/// Judges an expression that compiles. An error says in words what it lets in.
pub(crate) fn lint(pattern: &str, host: Option<&str>) -> Result<Lint, String> {
    let (mut walk, host, schemes) = walk_hosts(pattern, host)?;
    let http = schemes.contains(&"http");
    // Last, because it may fill the cache.
    let mut named = false;
    for scheme in schemes {
        named = named || walk.reaches_an_address(scheme, &host).unwrap_or(true);
    }
    if named {
        Ok(Lint { http })
    } else {
        Err(format!(
            "it matches no address of {host}: a canonical one begins https://{host}/, without the default port, and \
             is compared without its query"
        ))
    }
}

/// What an expression lets in beside the host that it is meant for, if anything.
pub(crate) fn openness(pattern: &str, host: Option<&str>) -> Option<String> {
    walk_hosts(pattern, host).err()
}

/// The host, and the schemes that are let in; no scheme but `http` and `https`, and no other host.
fn walk_hosts(
    pattern: &str,
    host: Option<&str>,
) -> Result<(Walk, String, Vec<&'static str>), String> {
    let mut walk = Walk::new(pattern)?;
    let host = match host {
        Some(host) => check_host(host).map_err(|error| error.to_string())?,
        None => walk.derive_host()?,
    };
    walk.check_schemes()?;
    let mut schemes = Vec::new();
    for scheme in ["https", "http"] {
        if walk.alive(&format!("{scheme}:"))? {
            walk.check_hosts(scheme, &host)?;
            schemes.push(scheme);
        }
    }
    Ok((walk, host, schemes))
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

    /// Whether a canonical address of the host, without a query, matches: otherwise the rule is dead.
    fn reaches_an_address(&mut self, scheme: &str, host: &str) -> Result<bool, String> {
        let default_port = if scheme == "https" { "443" } else { "80" };
        let mut roots = vec![format!("{scheme}://{host}/")];
        let mut ports: Vec<String> = (b'1'..=b'9')
            .map(|digit| char::from(digit).into())
            .collect();
        while let Some(port) = ports.pop() {
            let at = format!("{scheme}://{host}:{port}");
            if !self.alive(&at)? {
                continue;
            }
            if port != default_port && port.parse::<u16>().is_ok() {
                roots.push(format!("{at}/"));
            }
            if port.len() < 5 {
                ports.extend(('0'..='9').map(|digit| format!("{port}{digit}")));
            }
        }
        // Each kind of path once: a state of the automaton and the segment being written. Depth first, since an expression
        // may have more states than can be walked, and nearly all of them let the first long path in.
        let mut stack = Vec::new();
        let mut seen = HashSet::new();
        for root in roots {
            let state = self.after(&root)?;
            if !state.is_dead() && seen.insert((state, Segment::Empty)) {
                stack.push((state, Segment::Empty, root));
            }
        }
        while let Some((state, segment, text)) = stack.pop() {
            if self.is_match(state)? && is_canonical(&text) {
                return Ok(true);
            }
            // What cannot be shown to be dead is let be.
            if seen.len() > MAX_STATES {
                return Ok(true);
            }
            if text.len() >= MAX_REGISTRY_URL_BYTES {
                continue;
            }
            for (piece, segment) in self.path_pieces(state, segment)? {
                let next = self.along(state, &piece)?;
                if !next.is_dead() && seen.insert((next, segment)) {
                    stack.push((next, segment, format!("{text}{piece}")));
                }
            }
        }
        Ok(false)
    }

    /// The characters, some of them percent-encoded, that may go on a path which is in `segment`.
    fn path_pieces(
        &mut self,
        state: LazyStateID,
        segment: Segment,
    ) -> Result<Vec<(String, Segment)>, String> {
        let mut pieces = Vec::new();
        // Most expressions name no encoded character, so this is rarely gone into.
        let percent = self.step(state, b'%')?;
        if self.is_alive(percent)? {
            for first in *HEX {
                let half = self.step(percent, first)?;
                if half.is_dead() {
                    continue;
                }
                for second in *HEX {
                    let digits = [char::from(first), char::from(second)];
                    let digits: String = digits.into_iter().collect();
                    let byte = u8::from_str_radix(&digits, 16).expect("two hex digits");
                    let is_slash = matches!(byte, b'/' | b'\\');
                    if let Some(segment) = segment.and(byte).filter(|_| !is_slash) {
                        pieces.push((format!("%{digits}"), segment));
                    }
                }
            }
        }
        // Last, and so tried first: letters and digits.
        let (marks, names): (Vec<u8>, Vec<u8>) = PRINTABLE
            .filter(|byte| !b"\"#%<>?\\^`{|}".contains(byte))
            .partition(u8::is_ascii_punctuation);
        for byte in marks.into_iter().chain(names) {
            if let Some(segment) = segment.and(byte) {
                pieces.push((char::from(byte).to_string(), segment));
            }
        }
        Ok(pieces)
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
        self.along(self.start, prefix)
    }

    fn along(&mut self, from: LazyStateID, text: &str) -> Result<LazyStateID, String> {
        let mut state = from;
        for byte in text.bytes() {
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

/// What stands after the last slash of a path, as far as dot segments go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Segment {
    Empty,
    Dot,
    Dots,
    Name,
}

impl Segment {
    /// The segment after one more decoded byte, unless no canonical path goes on like that.
    fn and(self, byte: u8) -> Option<Self> {
        match (byte, self) {
            (b'/' | b';', Self::Dot | Self::Dots) => None,
            (b'/', _) => Some(Self::Empty),
            (b'.', Self::Empty) => Some(Self::Dot),
            (b'.', Self::Dot) => Some(Self::Dots),
            (byte, _) => (!byte.is_ascii_control()).then_some(Self::Name),
        }
    }
}

fn is_canonical(address: &str) -> bool {
    RegistryUrl::parse(address)
        .is_ok_and(|url| url.canonical() == address && !url.has_encoded_slash())
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

const HEX: &[u8; 22] = b"0123456789abcdefABCDEF";

const NFA_BYTES: usize = 1 << 20;

const CACHE_BYTES: usize = 4 << 20;

const MAX_STATES: usize = 4096;

/// Three free letters, or four digits, in a host are a list that an operator may mean.
const MOST_HOSTS: u64 = 100_000;
