//! What happens to commands that use too much, take too long, are not wanted any more, or lose their caller.

use std::io::{BufRead as _, BufReader};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use remint_sandbox::{Access, Bind, Ending, SandboxError, run};

use crate::attacker::REPELLED;
use crate::ground::{Ground, outcome, said};
use crate::harness::Case;

pub(crate) const CASES: &[Case] = &[
    ("a_command_is_stopped_at_its_deadline", deadline),
    (
        "a_command_that_closes_its_output_is_still_waited_for_and_stopped",
        silent_deadline,
    ),
    ("a_cancelled_command_is_stopped", cancel),
    ("background_processes_end_with_the_command", background),
    ("a_flood_of_output_is_cut_in_the_middle", flood),
    ("a_log_that_cannot_be_written_stops_the_command", full_log),
    ("a_memory_bomb_is_stopped", memory_bomb),
    ("memory_of_many_processes_is_added_up", many_small_bombs),
    ("a_fork_bomb_is_contained", fork_bomb),
    ("temporary_directories_are_limited_together", full_scratch),
    ("filling_the_disk_is_stopped", disk_full),
    (
        "filling_the_disk_in_a_closed_directory_is_stopped",
        disk_full_hidden,
    ),
    (
        "filling_the_disk_with_a_deleted_file_is_stopped",
        disk_full_nameless,
    ),
    (
        "filling_the_disk_through_a_writable_bind_is_stopped",
        disk_full_bind,
    ),
    ("the_caller_s_precedence_is_not_inherited", precedence),
    (
        "the_death_of_the_caller_ends_everything",
        death_of_the_caller,
    ),
];

fn deadline() {
    let ground = Ground::new();
    let mut command = ground.shell("echo started; sleep 1000");
    command.limits.deadline = Duration::from_millis(500);
    let started = Instant::now();
    let (finished, log) = outcome(&command);
    assert_eq!(finished.ending, Ending::DeadlinePassed);
    assert_eq!(log, "started\n");
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

fn silent_deadline() {
    let ground = Ground::new();
    let mut command =
        ground.shell("exec > /dev/null 2>&1; trap '' TERM HUP INT; while :; do sleep 9; done");
    command.limits.deadline = Duration::from_millis(300);
    assert_eq!(outcome(&command).0.ending, Ending::DeadlinePassed);
}

fn cancel() {
    let ground = Ground::new();
    let command = ground.shell("sleep 1000");
    let is_cancelled = Arc::new(AtomicBool::new(false));
    let later = Arc::clone(&is_cancelled);
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        later.store(true, Ordering::Relaxed);
    });
    let finished = run(&command, &mut Vec::new(), &is_cancelled, |_| ()).unwrap();
    canceller.join().unwrap();
    assert_eq!(finished.ending, Ending::Cancelled);
}

fn background() {
    let ground = Ground::new();
    let started = Instant::now();
    let script = "sleep 1000 & setsid sh -c 'trap \"\" TERM HUP; sleep 1000' & echo done";
    assert_eq!(said(&ground.shell(script)), "done\n");
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

fn flood() {
    let ground = Ground::new();
    let mut command =
        ground.shell("echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last");
    command.limits.log = 10_000;
    let (finished, log) = outcome(&command);
    assert_eq!(finished.ending, Ending::Exited(0));
    assert_eq!(finished.log_bytes, 50_000_012);
    assert!(log.len() < 10_200, "{}", log.len());
    assert!(log.starts_with("first\nxxx"));
    assert!(log.contains("49990012 bytes of output left out"));
    assert!(log.ends_with("xxx\nlast\n"));
    assert!(finished.log_tail.ends_with(b"xxx\nlast\n"));
}

fn full_log() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let ground = Ground::new();
    let command = ground.shell("echo x; sleep 1000");
    match run(&command, &mut Full, &AtomicBool::new(false), |_| ()) {
        Err(SandboxError::Log(_)) => {}
        other => panic!("{other:?}"),
    }
}

const MEGABYTE: u64 = 1 << 20;

fn memory_bomb() {
    let ground = Ground::new();
    let mut command = ground.attack(&["take-memory", "2000"]);
    command.limits.memory = 200 * MEGABYTE;
    command.limits.deadline = Duration::from_secs(30);
    let (finished, log) = outcome(&command);
    assert_eq!(finished.ending, Ending::MemoryExceeded, "{log}");
    assert!(
        finished.elapsed < command.limits.deadline / 2,
        "{:?}",
        finished.elapsed
    );

    let mut command = ground.attack(&["take-memory", "50"]);
    command.limits.memory = 200 * MEGABYTE;
    let (finished, log) = outcome(&command);
    assert!(log.contains("took it all"), "{log}");
    assert_eq!(finished.ending, Ending::Exited(0));
    assert!(
        finished.peak_memory > 40 * MEGABYTE,
        "{}",
        finished.peak_memory
    );
}

fn many_small_bombs() {
    let ground = Ground::new();
    let mut command = ground.attack(&["take-memory-together", "10", "60"]);
    command.limits.memory = 200 * MEGABYTE;
    command.limits.deadline = Duration::from_secs(30);
    assert_eq!(outcome(&command).0.ending, Ending::MemoryExceeded);
}

fn fork_bomb() {
    let ground = Ground::new();
    let mut command = ground.attack(&["fork", "100000"]);
    command.limits.processes = 64;
    command.limits.deadline = Duration::from_secs(30);
    let (finished, log) = outcome(&command);
    assert_eq!(finished.ending, Ending::Exited(0), "{log}");
    let forks: u64 = log.trim().parse().unwrap();
    assert!((8..=64).contains(&forks), "{forks}");
}

fn full_scratch() {
    let ground = Ground::new();
    let mut command = ground.shell(
        "head -c 3000000 /dev/zero > /tmp/a && head -c 3000000 /dev/zero > $HOME/b; \
         head -c 3000000 /dev/zero > /dev/shm/c; cat /tmp/a $HOME/b /dev/shm/c | wc -c",
    );
    command.limits.scratch = 5_000_000;
    let (_, log) = outcome(&command);
    assert!(log.contains("No space left"), "{log}");
    let written: u64 = log.lines().last().unwrap().trim().parse().unwrap();
    assert!((4_000_000..6_000_000).contains(&written), "{written}");
}

fn fills_the_disk(script: &str) -> (Ending, String) {
    let ground = Ground::new();
    let source = ground.tree("source", &[("file", "x")]);
    let mut command = ground.shell(script);
    command
        .layers
        .push(ground.layer("state", "/build", &[&source]));
    command.directory = "/build".into();
    command.limits.disk = 50 * MEGABYTE;
    command.limits.scratch = MEGABYTE;
    command.limits.deadline = Duration::from_secs(60);
    let (finished, log) = outcome(&command);
    assert!(
        finished.elapsed < command.limits.deadline / 2,
        "{:?}",
        finished.elapsed
    );
    (finished.ending, log)
}

const WRITE_FOR_EVER: &str =
    "i=0; while :; do head -c 10000000 /dev/zero > $i; i=$((i+1)); sleep 0.02; done";

fn disk_full() {
    let (ending, log) = fills_the_disk(WRITE_FOR_EVER);
    assert_eq!(ending, Ending::DiskExceeded, "{log}");
    let (ending, _) = fills_the_disk("head -c 20000000 /dev/zero > a; sleep 0.5");
    assert_eq!(ending, Ending::Exited(0), "within the limit");
    let (ending, log) = fills_the_disk("head -c 60000000 /dev/zero > a");
    assert_eq!(
        ending,
        Ending::Exited(153),
        "one large file: signal 25, as the shell says it: {log}"
    );
}

fn disk_full_hidden() {
    // May be entered and written to, but not listed.
    let script = format!("mkdir h && cd h && chmod 333 . && {WRITE_FOR_EVER}");
    assert_eq!(fills_the_disk(&script).0, Ending::DiskExceeded);
}

fn disk_full_nameless() {
    let script = "exec 7> f 8> g 9> h; rm f g h; \
        for fd in 7 8 9; do head -c 40000000 /dev/zero >&$fd; done; sleep 30";
    assert_eq!(fills_the_disk(script).0, Ending::DiskExceeded);
}

fn disk_full_bind() {
    let ground = Ground::new();
    let out = ground.tree("out", &[]);
    fs_err::write(out.join("before"), vec![0; 40_000_000]).unwrap();
    let mut command = ground.shell(&format!("cd /out; {WRITE_FOR_EVER}"));
    command.binds.push(Bind {
        host: out,
        inside: "/out".into(),
        access: Access::Writable,
    });
    command.limits.disk = 50 * MEGABYTE;
    command.limits.deadline = Duration::from_secs(60);
    assert_eq!(outcome(&command).0.ending, Ending::DiskExceeded);
}

fn precedence() {
    let ground = Ground::new();
    for (wished, expected) in [(-5, "0\n"), (0, "0\n"), (5, "5\n")] {
        // Precedence belongs to a thread, and not everybody can take back having given it up.
        let in_a_thread = || {
            rustix::process::setpriority_process(None, wished).ok()?;
            if wished < 0 {
                let attempt = said(&ground.attack(&["lift_a_limit"]));
                assert_eq!(attempt.trim(), REPELLED);
            }
            Some(said(&ground.shell("nice")))
        };
        let found = std::thread::scope(|scope| scope.spawn(in_a_thread).join().unwrap());
        match found {
            Some(found) => assert_eq!(found, expected, "{wished}"),
            None if wished < 0 && !rustix::process::geteuid().is_root() => {
                println!("(a precedence of {wished} was not tried: only root may take it)");
            }
            None => panic!("{wished}"),
        }
    }
}

/// What a second process of this program does that is to be killed.
pub(crate) fn be_killed() {
    let ground = Ground::new();
    let source = ground.tree("source", &[]);
    let mut command = ground.shell("touch here; sleep 1000 & setsid sleep 1000");
    command
        .layers
        .push(ground.layer("state", "/build", &[&source]));
    command.directory = "/build".into();
    let upper = ground.path("state/upper/here");
    std::thread::spawn(move || {
        while !upper.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        println!("{}", upper.ancestors().nth(3).unwrap().display());
    });
    outcome(&command);
}

fn death_of_the_caller() {
    let mut caller = Process::new(std::env::current_exe().unwrap())
        .arg(crate::BE_KILLED)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut place = String::new();
    BufReader::new(caller.stdout.take().unwrap())
        .read_line(&mut place)
        .unwrap();
    let family = descendants(caller.id());
    assert!(
        family.len() >= 4,
        "helper, process 1, shell, sleep: {family:?}"
    );
    caller.kill().unwrap();
    caller.wait().unwrap();
    let started = Instant::now();
    while family.iter().any(|process| is_alive(*process)) {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "still there: {family:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(place.trim()), "{mounts}");
    remint_sandbox::remove_tree(std::path::Path::new(place.trim())).unwrap();
}

fn descendants(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task");
    let threads = fs_err::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let children = threads.flat_map(|thread| {
        let text = fs_err::read_to_string(thread.path().join("children")).unwrap_or_default();
        text.split_whitespace()
            .map(|child| child.parse().unwrap())
            .collect::<Vec<u32>>()
    });
    children
        .flat_map(|child| [vec![child], descendants(child)].concat())
        .collect()
}

fn is_alive(process: u32) -> bool {
    // A process that nobody has waited for yet is dead all the same.
    fs_err::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .trim_start()
            .starts_with('Z')
    })
}
