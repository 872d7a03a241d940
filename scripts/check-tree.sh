#!/usr/bin/env bash
# The walls between the crates, checked on what cargo would really build.
# Names every wall that is broken, then exits 1; says nothing where all stand.
set -euo pipefail
cd "$(dirname "$0")/.."

broken=0
fault() { echo "check-tree: $*" >&2; broken=1; }

# Every crate that PACKAGE pulls in for normal use (no tests, no build scripts).
tree_of() { cargo tree --locked --quiet --package "$1" --edges normal --prefix none --format '{p}' | awk '{print $1}' | sort -u; }

# must_not PACKAGE REASON CRATE...
must_not() {
  local package=$1 reason=$2 found; shift 2
  found=$(tree_of "$package" | grep -xF "$(printf '%s\n' "$@")" || true)
  [ -z "$found" ] || fault "$package pulls in $(echo $found): $reason"
}

# code PATTERN FOLDER...: lines of Rust code, comments left out, that match.
code() { local pattern=$1; shift; grep -rnE "$pattern" "$@" --include='*.rs' | grep -vE '^[^:]+:[0-9]+:\s*//'; }

# casque-proto is the language of CAS: no I/O, no clock, no randomness, no async (design, decision 1).
must_not casque-proto "the protocol core does no I/O" tokio mio hyper reqwest ureq rustls socket2 getrandom rand tracing
code 'SystemTime::now|Instant::now|std::(fs|process|thread)|net::(Tcp|Udp|ToSocketAddrs)|getrandom|thread_rng' crates/casque-proto/src \
  && fault "casque-proto uses a clock, randomness or I/O in the lines above"

# Arrows point down only.
must_not casque-store  "a store knows no protocol" casque-proto casque-client casque-app casque-axum casque-server
must_not casque-client "arrows point down" casque-store casque-app casque-axum casque-server axum axum-core
must_not casque-app    "an application's core knows no web framework" casque-axum casque-server axum axum-core
must_not casque-axum   "an application pulls in no server" casque-server
must_not casque-server "a server pulls in no application" casque-app casque-axum casque-client
must_not casque-conformance "the kit sees a server from outside only" \
  casque-store casque-client casque-app casque-axum casque-server
must_not casque-doctor "the doctor sees servers and applications from outside only" \
  casque-axum casque-server casque-conformance axum
must_not casque-visitor "a browser is no client of CAS" \
  casque-store casque-client casque-app casque-axum casque-server casque-conformance
must_not casque-load "load comes from outside" \
  casque-store casque-client casque-app casque-axum casque-server casque-conformance axum
must_not casque-python "the wheel holds no server, no client, no TLS and no threads" \
  casque-store casque-client casque-app casque-axum casque-server tokio mio hyper reqwest rustls ring getrandom rand
for package in casque-python casque-proto casque-store casque-client casque-app casque-axum casque-server casque-conformance casque-visitor casque-doctor casque-load casque; do
  must_not "$package" "the test kit is never a normal dependency" casque-testkit
done

# One TLS stack with one provider, and no C library beside SQLite and ring.
all=$(cargo tree --locked --quiet --workspace --edges normal,build,dev --prefix none --format '{p}' | awk '{print $1}' | sort -u)
for banned in openssl openssl-sys native-tls aws-lc-rs aws-lc-sys async-std xml-rs; do
  grep -qxF "$banned" <<<"$all" && fault "$banned is in the tree (cargo tree -i $banned): one TLS stack, rustls with ring"
done

code '\bunsafe\b *(\{|fn|impl)' crates examples bench python && fault "unsafe code in the lines above"
code '\b(todo|unimplemented|dbg)!\(' crates examples bench python && fault "unfinished code in the lines above"

exit $broken
