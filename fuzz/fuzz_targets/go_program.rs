#![no_main]

use libfuzzer_sys::fuzz_target;
use remint_compare::go_build_info;

// What a program says about how it was built: shown to people, and turned into a plan.
fuzz_target!(|bytes: &[u8]| {
    let Ok(info) = go_build_info(bytes) else {
        return;
    };
    let texts = [&info.go_version, &info.package];
    let settings = info.settings.iter().flat_map(|(key, value)| [key, value]);
    for text in texts.into_iter().chain(settings) {
        assert!(!text.contains(['\n', '\r', '\u{1b}', '\0']));
    }
    assert!(info.moments.iter().all(|moment| moment.len() == 20));
});
