//! Kills a run at random instants, again and again: what is on the disk can always be gone on from.
//!
//! `LLM_CRASH_KILLS` says how often; the full check takes 50, of which at least 10 must come inside the writing of a checkpoint.
//! Where each kill came is written to `crash-instants.log` in the temporary folder of the build.
#![cfg(unix)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use safetensors::SafeTensors;

use crate::runs::{Running, names};
use crate::{Place, json};

/// Files of a step checkpoint.
const FILES: [&str; 8] = [
    "README.md",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "optimizer.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "trainer.json",
];

/// xorshift64*, so that the instants depend on nothing but the seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % n
    }
}

/// Fails unless every step checkpoint is whole, and what else there is has the name of a leftover.
#[track_caller]
fn check_checkpoints(run: &Path) {
    let folder = run.join("checkpoints");
    for name in names(&folder) {
        let checkpoint = folder.join(&name);
        if name.starts_with(".partial-") {
            continue;
        }
        let is_step = name.strip_prefix("step-");
        assert!(is_step.is_some() || name == "best", "{name}");
        for file in FILES {
            if is_step.is_none() && ["optimizer.safetensors", "trainer.json"].contains(&file) {
                continue;
            }
            let path = checkpoint.join(file);
            let bytes =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            if file.ends_with(".safetensors") {
                let tensors = SafeTensors::deserialize(&bytes);
                assert!(
                    tensors.is_ok_and(|tensors| !tensors.is_empty()),
                    "{name}/{file}"
                );
            } else if file.ends_with(".json") {
                let value = json(&String::from_utf8(bytes).unwrap());
                if file == "trainer.json" {
                    assert_eq!(Some(value["step"].to_string().as_str()), is_step);
                }
            } else {
                assert!(!bytes.is_empty(), "{name}/{file}");
            }
        }
    }
}

fn has_leftover(run: &Path) -> bool {
    [run.to_owned(), run.join("checkpoints")]
        .iter()
        .flat_map(|folder| names(folder))
        .any(|name| name.starts_with(".partial-"))
}

#[test]
fn a_kill_at_any_instant_leaves_a_run_that_goes_on() {
    let kills: u64 = env::var("LLM_CRASH_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let place = Place::with_text();
    // A life makes 4 checkpoints or so; the rest is room for a machine that is slow to kill.
    let steps = (10 * kills + 40).to_string();
    let more = [
        "--max-steps",
        &steps,
        "--set",
        "train.checkpoint_every=1",
        "--set",
        "train.eval_every=3",
        "--set",
        "train.eval_windows=2",
        "--set",
        "model.dropout=0.1",
    ];
    place.train("whole", &more);

    let run = place.path().join("run");
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut log = String::new();
    let (mut inside, mut killed) = (0, 0);
    while killed < kills {
        let mut running = if run.join("config.toml").exists() {
            Running::new(place.command(&["train", "--resume", "run"]))
        } else {
            // Killed before it was a run: it is begun again.
            place.start("run", &[&more[..], &["--force"]].concat())
        };
        let newest = || place.steps("run").last().copied().unwrap_or(0);
        let from = newest();
        let began = Instant::now();
        // One life in four is cut short while it starts.
        let goal = from + random.below(8);
        let lives = running.wait_until(|| newest() >= goal);
        if lives {
            sleep(Duration::from_micros(random.below(20_000)));
        }
        if running.has_ended() {
            let output = running.wait();
            let stderr = String::from_utf8_lossy(&output.stderr);
            panic!("ended at step {} of {steps}: {stderr}\n{log}", newest());
        }
        let after = began.elapsed();
        running.kill();
        killed += 1;
        let leftover = has_leftover(&run);
        inside += u64::from(leftover);
        let _ = writeln!(
            log,
            "kill {killed}: {after:?} after the start, checkpoint {from} -> {}{}",
            newest(),
            if leftover {
                ", inside the writing of a checkpoint"
            } else {
                ""
            }
        );
        check_checkpoints(&run);
        assert!(newest() >= from, "{log}");
    }
    let _ = writeln!(
        log,
        "{inside} of {killed} kills inside the writing of a checkpoint"
    );
    let _ = std::io::stderr().write_all(log.as_bytes());
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash-instants.log");
    fs::write(kept, &log).unwrap();
    assert!(kills < 50 || inside >= 10, "{log}");

    place.ok(&["train", "--resume", "run"]);
    assert!(!has_leftover(&run));
    place.assert_same_runs("whole", "run");
}
