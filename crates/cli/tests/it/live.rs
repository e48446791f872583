//! `llm train --tui` on a terminal that `script` of util-linux makes.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Place;
use crate::runs::{PATIENCE, tiny};

/// Switches to a screen of its own, and back.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// A run on a terminal; none where there is no `script`.
fn start(place: &Place, more: &[&str]) -> Option<Child> {
    let program = assert_cmd::cargo::cargo_bin("llm");
    let arguments = tiny("run", &[&["--tui"], more].concat()).join(" ");
    let child = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command"])
        .arg(format!(
            "stty cols 100 rows 30; exec {} {arguments}",
            program.display()
        ))
        .arg("/dev/null")
        .current_dir(place.path())
        .env("LLM_CACHE_DIR", place.path().join("cache"))
        .env("TERM", "xterm-256color")
        .env_remove("RUST_LOG")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    match child {
        Ok(child) => Some(child),
        Err(_) => {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED live view: no program called script"
            );
            None
        }
    }
}

/// Waits for the end, and returns exit code and everything that the terminal was sent.
fn finish(mut child: Child) -> (Option<i32>, String) {
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    let code = child.wait().unwrap().code();
    (code, String::from_utf8_lossy(&output).into_owned())
}

fn wait_for_steps(place: &Place) {
    let metrics = place.path().join("run/metrics.jsonl");
    let began = Instant::now();
    while std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count()) < 5 {
        assert!(began.elapsed() < PATIENCE, "no steps");
        sleep(Duration::from_millis(20));
    }
    // A picture or two.
    sleep(Duration::from_millis(300));
}

#[track_caller]
fn assert_restored(output: &str) {
    let (enter, leave) = (output.rfind(ENTER), output.rfind(LEAVE));
    assert!(enter.is_some() && enter < leave, "{output:?}");
    assert!(
        output.rfind("\x1b[?25h") > output.rfind("\x1b[?25l"),
        "the cursor is back: {output:?}"
    );
    assert!(!output.contains("panicked"), "{output}");
}

#[test]
fn q_saves_and_stops_as_ctrl_c_does() {
    for key in ["q", "\x03"] {
        let place = Place::with_text();
        let Some(mut child) = start(&place, &["--max-steps", "1000000"]) else {
            return;
        };
        wait_for_steps(&place);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(key.as_bytes()).unwrap();
        stdin.flush().unwrap();
        let (code, output) = finish(child);
        assert_eq!(code, Some(130), "{output}");
        assert_restored(&output);
        // Spaces are not sent where the screen is blank already.
        for word in ["tokens/s", "1000000", "learning", "training"] {
            assert!(output.contains(word), "{word}: {output}");
        }
        let said = output.rsplit(LEAVE).next().unwrap();
        assert!(
            said.contains("Ctrl-C after step") && said.contains("--resume"),
            "{said}"
        );
        let step = place.steps("run").pop().expect("a checkpoint");
        assert_eq!(place.metrics("run").pop().unwrap()["step"], step);
    }
}

#[test]
fn a_run_that_ends_leaves_the_screen_before_it_prints_its_result() {
    let place = Place::with_text();
    let Some(mut child) = start(&place, &["--max-steps", "30"]) else {
        return;
    };
    // The end of stdin would be a key.
    let stdin = child.stdin.take();
    let (code, output) = finish(child);
    drop(stdin);
    assert_eq!(code, Some(0), "{output}");
    assert_restored(&output);
    let said = output.rsplit(LEAVE).next().unwrap();
    assert!(
        said.contains("validation loss") && said.contains("model run/model"),
        "{said}"
    );
}
