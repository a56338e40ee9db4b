//! Runs that are interrupted or killed, in every phase: no process and no mount remains, and no file either, at the
//! latest after the next start.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::npm::stand_in;
use crate::world::World;

const SPEC: &str = "npm:note-server@1.0.0";
const SOURCE: &str = "https://git.example.invalid/fixture/note-server";
/// How long after a signal everything has to be gone.
const SETTLED: Duration = Duration::from_secs(15);

/// A run that has come to the phase in which it is to be ended.
struct Run {
    world: World,
    process: Child,
    /// Every process that it was seen to have started.
    family: BTreeSet<u32>,
}

impl Run {
    /// Starts `verify-build` and waits for it to get there.
    fn start(world: World, arguments: &[&str], is_there: impl Fn(&BTreeSet<u32>) -> bool) -> Self {
        let process = world
            .program()
            .arg("verify-build")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut run = Self {
            world,
            process,
            family: BTreeSet::new(),
        };
        let started = Instant::now();
        loop {
            let living = descendants(run.process.id());
            run.family.extend(&living);
            if is_there(&living) {
                break;
            }
            if let Some(status) = run.process.try_wait().unwrap() {
                panic!("it ended before it got there: {status}; {}", run.said());
            }
            assert!(
                started.elapsed() < Duration::from_secs(240),
                "it never got there"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        // What is only just starting others.
        std::thread::sleep(Duration::from_millis(50));
        run.family.extend(descendants(run.process.id()));
        run
    }

    fn said(&mut self) -> String {
        let mut said = String::new();
        if let Some(mut pipe) = self.process.stderr.take() {
            std::io::Read::read_to_string(&mut pipe, &mut said).unwrap();
        }
        said
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().try_into().unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    fn interrupt(mut self) {
        self.signal(Signal::INT);
        let sent = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(
                sent.elapsed() < SETTLED,
                "it goes on as if nothing had happened"
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        let said = self.said();
        assert_eq!(status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted"), "{said}");
        self.leaves_no_process();
        assert_eq!(left_in(self.world.cache()), Vec::<PathBuf>::new());
    }

    fn kill(mut self) {
        self.signal(Signal::KILL);
        self.process.wait().unwrap();
        self.leaves_no_process();
        // Whatever comes next sweeps first.
        let next = self.world.remint(&["doctor", "--offline"]);
        assert!(next.status.code().is_some(), "{next:?}");
        assert_eq!(left_in(self.world.cache()), Vec::<PathBuf>::new());
    }

    fn leaves_no_process(&self) {
        let since = Instant::now();
        while let Some(process) = self.family.iter().find(|process| is_alive(**process)) {
            let name = fs_err::read_to_string(format!("/proc/{process}/comm"));
            assert!(since.elapsed() < SETTLED, "{name:?} is still there");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap();
        let place = self.world.path().to_str().unwrap();
        assert!(!mounts.contains(place), "{mounts}");
    }
}

/// Temporary files and directories in the caches: everything where they are made, but for the locks.
fn left_in(cache: &Path) -> Vec<PathBuf> {
    let children = |directory: &str| {
        let entries = fs_err::read_dir(cache.join("v1").join(directory));
        entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path())
    };
    let is_lock = |path: &PathBuf| path.ends_with("gate.lock");
    let temporary = ["work", "temporary"].into_iter().flat_map(children);
    let in_git = children("git").filter(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().contains('-'))
    });
    temporary
        .filter(|path| !is_lock(path))
        .chain(in_git)
        .collect()
}

pub(crate) fn descendants(process: u32) -> BTreeSet<u32> {
    let threads = fs_err::read_dir(format!("/proc/{process}/task"));
    let mut all = BTreeSet::new();
    for thread in threads.into_iter().flatten().filter_map(Result::ok) {
        let children = fs_err::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
        {
            all.insert(child);
            all.extend(descendants(child));
        }
    }
    all
}

/// A process that nobody has waited for yet is dead all the same.
pub(crate) fn is_alive(process: u32) -> bool {
    let stat = fs_err::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// A server that answers for one path, and leaves everybody waiting who asks for another.
struct Sluggish {
    address: std::net::SocketAddr,
    has_kept_waiting: Arc<AtomicBool>,
}

impl Sluggish {
    fn serve(
        answer: impl Fn(&str, std::net::SocketAddr) -> Option<String> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let has_kept_waiting = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&has_kept_waiting);
        std::thread::spawn(move || {
            let waiting = Mutex::new(Vec::<TcpStream>::new());
            for mut stream in listener.incoming().flatten() {
                let mut first = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                // Git's protocol has no lines; then this is all that has come.
                stream
                    .set_read_timeout(Some(Duration::from_millis(500)))
                    .unwrap();
                let _incomplete = reader.read_line(&mut first);
                let path = first.split(' ').nth(1).unwrap_or_default();
                match answer(path, address) {
                    Some(body) => {
                        let head = format!(
                            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                            body.len()
                        );
                        let _gone = stream.write_all((head + &body).as_bytes());
                    }
                    None => {
                        waiting.lock().unwrap().push(stream);
                        flag.store(true, Ordering::SeqCst);
                    }
                }
            }
        });
        Self {
            address,
            has_kept_waiting,
        }
    }

    fn is_asked(&self) -> impl Fn(&BTreeSet<u32>) -> bool {
        let flag = Arc::clone(&self.has_kept_waiting);
        move |_| flag.load(Ordering::SeqCst)
    }
}

fn fetching_the_published_file(cache: &Path) -> Run {
    let world = World::with_cache(cache);
    let server = Sluggish::serve(|path, address| {
        let is_metadata = !path.ends_with(".tgz");
        is_metadata.then(|| {
            let tarball = format!("http://{address}/note-server/-/note-server-1.0.0.tgz");
            json!({
                "name": "note-server", "dist-tags": { "latest": "1.0.0" },
                "versions": { "1.0.0": { "name": "note-server", "version": "1.0.0", "dist": { "tarball": tarball } } },
            })
            .to_string()
        })
    });
    fs_err::write(
        world.path().join(".npmrc"),
        format!("registry=http://{}/\n", server.address),
    )
    .unwrap();
    Run::start(world, &[SPEC], server.is_asked())
}

fn fetching_the_source(cache: &Path) -> Run {
    let world = World::with_cache(cache);
    let server = Sluggish::serve(|_, _| None);
    let rewrite = format!(
        "[url \"git://{}/\"]\n\tinsteadOf = {SOURCE}\n",
        server.address
    );
    fs_err::write(world.path().join(".gitconfig"), rewrite).unwrap();
    let file = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
    let arguments = [
        SPEC,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        SOURCE,
    ];
    Run::start(world, &arguments, server.is_asked())
}

/// A run on a repository with these files on top of the fixture's.
fn on(world: World, changes: &[(&str, &str)], is_there: impl Fn(&BTreeSet<u32>) -> bool) -> Run {
    let repository = world.repository("npm/plain", changes, "v1.0.0");
    let file = stand_in(&world, "note-server-1.0.0.tgz", "note-server");
    let arguments = [
        SPEC,
        "--artifact",
        file.to_str().unwrap(),
        "--source",
        repository.to_str().unwrap(),
    ];
    Run::start(world, &arguments, is_there)
}

fn installing(cache: &Path) -> Run {
    let world = World::with_cache(cache);
    let server = Sluggish::serve(|_, _| None);
    fs_err::write(
        world.path().join(".npmrc"),
        format!("@fixture:registry=http://{}/\n", server.address),
    )
    .unwrap();
    let dependencies = json!({ "@fixture/dependency": "1.0.0" });
    let manifest = json!({
        "name": "note-server", "version": "1.0.0", "files": ["lib"], "devDependencies": dependencies,
        "scripts": { "prepack": "true" },
    });
    let lock = json!({
        "name": "note-server", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
        "packages": {
            "": { "name": "note-server", "version": "1.0.0", "devDependencies": dependencies },
            "node_modules/@fixture/dependency": {
                "version": "1.0.0", "dev": true,
                "resolved": "https://registry.npmjs.org/@fixture/dependency/-/dependency-1.0.0.tgz",
                "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==",
            },
        },
    });
    let changes = [
        ("package.json", &*manifest.to_string()),
        ("package-lock.json", &*lock.to_string()),
    ];
    let run = on(world, &changes, server.is_asked());
    assert!(
        run.family.len() >= 3,
        "helper, process 1, npm: {:?}",
        run.family
    );
    run
}

/// A manifest whose build does this.
fn manifest(build: &str) -> String {
    json!({
        "name": "note-server", "version": "1.0.0", "files": ["lib"], "scripts": { "prepack": build },
    })
    .to_string()
}

/// A file of the build's, seen from outside.
fn in_a_workspace(cache: &Path, path: &str) -> bool {
    let runs = fs_err::read_dir(cache.join("v1/work"));
    let runs = runs.into_iter().flatten().filter_map(Result::ok);
    let mut found = runs.map(|run| run.path().join(path).exists());
    found.any(|found| found)
}

fn building(cache: &Path) -> Run {
    let world = World::with_cache(cache);
    let cache = cache.to_owned();
    let manifest = manifest("touch started; sleep 1000 & setsid sleep 1000");
    let run = on(world, &[("package.json", &manifest)], move |_| {
        in_a_workspace(&cache, "state/tree/started")
    });
    assert!(
        run.family.len() >= 4,
        "helper, process 1, npm, sleep: {:?}",
        run.family
    );
    run
}

/// Of so much that it takes a while.
fn comparing(cache: &Path) -> Run {
    let world = World::with_cache(cache);
    let cache = cache.to_owned();
    let manifest = manifest("head -c 700000000 /dev/zero > lib/zero");
    let is_packed = AtomicBool::new(false);
    on(world, &[("package.json", &manifest)], move |living| {
        if in_a_workspace(&cache, "out/note-server-1.0.0.tgz") {
            is_packed.store(true, Ordering::SeqCst);
        }
        is_packed.load(Ordering::SeqCst) && living.is_empty()
    })
}

type Phase = (&'static str, fn(&Path) -> Run);

const PHASES: &[Phase] = &[
    ("fetching the published file", fetching_the_published_file),
    ("fetching the source", fetching_the_source),
    ("installing", installing),
    ("building", building),
    ("comparing", comparing),
];

/// Runs to each phase in turn, with one cache for all.
fn in_every_phase(end: impl Fn(Run) + std::panic::RefUnwindSafe) {
    let cache = tempfile::tempdir().unwrap();
    for (phase, start) in PHASES {
        let ended = std::panic::catch_unwind(|| end(start(cache.path())));
        assert!(ended.is_ok(), "while {phase}");
    }
}

#[test]
fn an_interrupted_run_leaves_nothing_behind_whatever_it_was_doing() {
    in_every_phase(Run::interrupt);
}

#[test]
fn a_killed_run_leaves_no_process_and_its_files_go_at_the_next_start() {
    in_every_phase(Run::kill);
}

#[test]
fn what_was_finished_before_an_interruption_is_reported() {
    let cache = tempfile::tempdir().unwrap();
    let world = World::with_cache(cache.path());
    let server = Sluggish::serve(|path, _| path.contains("fast").then(|| "no JSON".to_owned()));
    fs_err::write(
        world.path().join(".npmrc"),
        format!("registry=http://{}/\n", server.address),
    )
    .unwrap();
    let specs = ["npm:slow@1.0.0", "npm:fast@1.0.0"];
    let options = ["--jobs", "2", "--format", "json"];
    let mut run = Run::start(world, &[&specs[..], &options].concat(), server.is_asked());
    // Time enough for the answer that takes no work at all.
    std::thread::sleep(Duration::from_secs(2));
    run.signal(Signal::INT);
    let mut answer = String::new();
    let mut pipe = run.process.stdout.take().unwrap();
    std::io::Read::read_to_string(&mut pipe, &mut answer).unwrap();
    assert_eq!(run.process.wait().unwrap().code(), Some(130));
    let report: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let targets = report["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 1, "{answer}");
    assert_eq!(targets[0]["reason"], "malformed", "{answer}");
    run.leaves_no_process();
}
