//! The attacks that the sandbox has to repel, one function each: it returns what it gained, which is to be nothing.

mod files;
mod kernel;
mod network;
mod processes;

use std::io;

type Attack = fn(&[&str]) -> Vec<String>;

pub(crate) const ALL: &[(&str, Attack)] = &[
    (
        "read_what_is_the_caller_s",
        files::read_what_is_the_caller_s,
    ),
    (
        "write_outside_of_the_build",
        files::write_outside_of_the_build,
    ),
    ("open_a_kernel_knob", files::open_a_kernel_knob),
    (
        "find_the_caller_s_environment",
        processes::find_the_caller_s_environment,
    ),
    ("reach_into_process_1", processes::reach_into_process_1),
    (
        "see_or_signal_other_processes",
        processes::see_or_signal_other_processes,
    ),
    ("end_process_1", processes::end_process_1),
    ("weaken_process_1", processes::weaken_process_1),
    (
        "use_an_inherited_descriptor",
        processes::use_an_inherited_descriptor,
    ),
    ("become_somebody_else", processes::become_somebody_else),
    ("make_a_namespace", kernel::make_a_namespace),
    ("enter_a_namespace", kernel::enter_a_namespace),
    ("make_a_device", files::make_a_device),
    ("call_what_is_refused", kernel::call_what_is_refused),
    (
        "call_through_another_door",
        kernel::call_through_another_door,
    ),
    ("type_into_the_terminal", kernel::type_into_the_terminal),
    ("open_a_strange_socket", network::open_a_strange_socket),
    (
        "reach_the_host_s_services",
        network::reach_the_host_s_services,
    ),
    ("change_the_network", network::change_the_network),
    ("lift_a_limit", processes::lift_a_limit),
    ("learn_about_the_machine", kernel::learn_about_the_machine),
];

/// The first parameter where other processes and the host's files are in sight.
pub(super) const IN_PLACE: &str = "in-place";

/// Runs something that is to fail, and reports it if it does not.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what was gained is of no further use"
)]
pub(super) fn gained<T>(what: impl std::fmt::Display, result: io::Result<T>) -> Option<String> {
    result.is_ok().then(|| what.to_string())
}

pub(super) fn call(number: libc::c_long, arguments: [libc::c_long; 5]) -> io::Result<libc::c_long> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: this process exists to find out that the call is refused; if it is not, the test has failed.
    match unsafe { libc::syscall(number, a, b, c, d, e) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// Like `gained`, for calls that have to fail with one certain error.
pub(super) fn not_refused_with(
    error: i32,
    name: &str,
    result: io::Result<libc::c_long>,
) -> Option<String> {
    match result {
        Err(refusal) if refusal.raw_os_error() == Some(error) => None,
        other => Some(format!("{name}: {other:?} instead of error {error}")),
    }
}

pub(super) fn visible_processes() -> Vec<libc::pid_t> {
    let entries = fs_err::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
