//! `llm train --tui` on a terminal that `script` of util-linux makes.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::Place;
use crate::runs::{PATIENCE, tiny};

/// Switches to a screen of its own, and back.
const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";

/// A run on a terminal.
struct Screen {
    child: Child,
    /// Everything that the terminal was sent so far.
    sent: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Screen {
    fn of(mut child: Child) -> Self {
        let sent = Arc::default();
        let mut stdout = child.stdout.take().unwrap();
        let all: Arc<Mutex<Vec<u8>>> = Arc::clone(&sent);
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut bytes) {
                all.lock().unwrap().extend(&bytes[..n]);
            }
        });
        Self {
            child,
            sent,
            reader,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.sent.lock().unwrap()).into_owned()
    }

    /// Waits until all of this was drawn.
    #[track_caller]
    fn wait_for(&self, words: &[&str]) {
        let began = Instant::now();
        loop {
            let text = self.text();
            match words.iter().find(|word| !text.contains(**word)) {
                None => return,
                Some(word) => assert!(began.elapsed() < PATIENCE, "no {word} in {text}"),
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end, and returns exit code and everything that the terminal was sent.
    fn finish(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        self.reader.join().unwrap();
        let sent = self.sent.lock().unwrap();
        (code, String::from_utf8_lossy(&sent).into_owned())
    }
}

/// A run on a terminal; none where there is no `script`.
fn start(place: &Place, more: &[&str]) -> Option<Screen> {
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
        Ok(child) => Some(Screen::of(child)),
        Err(_) => {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED live view: no program called script"
            );
            None
        }
    }
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
        let Some(mut screen) = start(&place, &["--max-steps", "1000000"]) else {
            return;
        };
        // Spaces are not sent where the screen is blank already.
        screen.wait_for(&["tokens/s", "1000000", "learning", "training", "rate"]);
        let mut stdin = screen.child.stdin.take().unwrap();
        stdin.write_all(key.as_bytes()).unwrap();
        stdin.flush().unwrap();
        let (code, output) = screen.finish();
        assert_eq!(code, Some(130), "{output}");
        assert_restored(&output);
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
    let Some(mut screen) = start(&place, &["--max-steps", "30"]) else {
        return;
    };
    // The end of stdin would be a key.
    let stdin = screen.child.stdin.take();
    let (code, output) = screen.finish();
    drop(stdin);
    assert_eq!(code, Some(0), "{output}");
    assert_restored(&output);
    let said = output.rsplit(LEAVE).next().unwrap();
    assert!(
        said.contains("validation loss") && said.contains("model run/model"),
        "{said}"
    );
}
