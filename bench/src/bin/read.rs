//! Reading a CAS 3 response with ten attributes, against quick-xml's `NsReader` walking the same bytes.
//!
//! Goal: at most twice the time. Run with `bench/run read`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{hint::black_box, time::Duration};

use casque_bench::{Pairs, now, print_machine};
use casque_proto::{Assertion, ReadOptions, ServiceResponse};
use quick_xml::{NsReader, events::Event};

const ITERATIONS: u32 = 20_000;
const ROUNDS: usize = 15;

fn main() {
    print_machine();
    let mut assertion = Assertion::builder("jdoe");
    for (name, value) in [
        ("authenticationDate", "2024-05-01T12:00:00Z"),
        ("longTermAuthenticationRequestTokenUsed", "false"),
        ("isFromNewLogin", "true"),
        ("mail", "john.doe@example.org"),
        ("displayName", "John Doe"),
        ("givenName", "John"),
        ("sn", "Doe"),
        ("memberOf", "cn=staff,ou=groups,dc=example,dc=org"),
        ("eduPersonAffiliation", "member"),
        ("department", "Research & Development"),
    ] {
        assertion = assertion.attribute(name, value);
    }
    let body = ServiceResponse::Success(assertion.build()).to_xml();
    let options = ReadOptions::default();

    let pairs = Pairs::measure(
        ROUNDS,
        || {
            timed(|| {
                let read = ServiceResponse::parse(black_box(body.as_bytes()), &options);
                assert!(matches!(black_box(read), Ok(ServiceResponse::Success(_))));
            })
        },
        || timed(|| walk(black_box(body.as_bytes()))),
    );
    let each = |times: &[Duration]| {
        let mut times = times.to_vec();
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e6 / f64::from(ITERATIONS)
    };
    println!(
        "CAS 3 response, ten attributes, {} bytes, {ROUNDS} pairs of {ITERATIONS}",
        body.len()
    );
    println!("casque-proto     {:.2} µs", each(&pairs.ours));
    println!("NsReader walking {:.2} µs", each(&pairs.floor));
    println!("ratio of times   {}  (goal: at most 2)", pairs.time_ratio());
}

fn timed(mut work: impl FnMut()) -> Duration {
    let started = now();
    for _ in 0..ITERATIONS {
        work();
    }
    started.elapsed()
}

/// The floor: every event with its namespace resolved, nothing kept.
fn walk(body: &[u8]) {
    let mut reader = NsReader::from_reader(body);
    loop {
        match reader
            .read_resolved_event()
            .expect("the document is well-formed")
        {
            (_, Event::Eof) => return,
            event => {
                black_box(event);
            }
        }
    }
}
