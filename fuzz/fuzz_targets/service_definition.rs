#![no_main]

use casque_fuzz::property;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| property("service_definition")(data));
