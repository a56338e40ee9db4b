#![no_main]

use libfuzzer_sys::fuzz_target;
use remint_fuzz::{Entry, tgz};

fuzz_target!(|input: (Vec<Entry>, Vec<u8>)| {
    let made = tgz(&input.0, &input.1);
    for bytes in [made, input.1] {
        if remint_fetch::fuzzing::tool_archive(&bytes).is_err() {
            return;
        }
    }
});
