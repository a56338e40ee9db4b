//! `cargo run --release --example startup`: how long it takes to start, run and clear away a sandbox around a
//! program that does nothing, with an overlay and a proxy's socket as a build has them.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use remint_sandbox::{Command, Layer, Network, Owner, become_helper_if_asked, remove_tree, run};

const RUNS: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    become_helper_if_asked();
    let owner = Owner::of_this_process()?;
    let place = tempfile::tempdir()?;
    for directory in ["source", "upper", "work"] {
        fs_err::create_dir(place.path().join(directory))?;
    }
    owner.give(place.path())?;
    let mut command = Command::new(["/usr/bin/true"], owner);
    command.network = Network::Proxy;
    command.layers.push(Layer {
        inside: "/build".into(),
        lowers: vec![place.path().join("source")],
        upper: place.path().join("upper"),
        work: place.path().join("work"),
    });
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        let finished = run(
            &command,
            &mut std::io::sink(),
            &AtomicBool::new(false),
            |_| (),
        )?;
        times.push(started.elapsed());
        if !finished.ending.is_success() {
            return Err(format!("`true` {}", finished.ending).into());
        }
    }
    remove_tree(place.path())?;
    times.sort();
    let at = |part: usize| {
        times
            .get(RUNS * part / 100)
            .copied()
            .unwrap_or(Duration::MAX)
    };
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{RUNS} sandboxes: minimum {:.1} ms, median {:.1} ms, 95 of 100 within {:.1} ms",
        milliseconds(at(0)),
        milliseconds(at(50)),
        milliseconds(at(95))
    );
    Ok(())
}
