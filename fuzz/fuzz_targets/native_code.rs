#![no_main]

use libfuzzer_sys::fuzz_target;
use remint_compare::recognise_native_code;
use remint_model::EntryPath;

fuzz_target!(|bytes: &[u8]| {
    for name in ["lib/addon.node", "libx.so.1", "notes.txt"] {
        let path: EntryPath = name.parse().expect("is a path");
        let found = recognise_native_code(&path, bytes);
        // Names alone make nothing machine code.
        if bytes.is_empty() {
            assert!(found.is_none());
        }
    }
});
