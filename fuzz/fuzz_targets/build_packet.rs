#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (std::net::IpAddr, Vec<u8>)| {
    remint_sandbox::fuzzing::packet(input.0, &input.1);
});
