#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    remint_fetch::fuzzing::address(text);
});
