//! `llm data synth`.

use crate::{Place, json};

#[test]
fn the_same_seed_makes_the_same_stories_and_the_grammar_parses_them() {
    let place = Place::new();
    let stdout = place.ok(&["data", "synth", "--seed", "7", "--size", "20KB"]);
    assert!(stdout.len() >= 20_000);
    place.ok(&[
        "data",
        "synth",
        "--seed",
        "7",
        "--size",
        "20KB",
        "--output",
        "stories.txt",
    ]);
    assert_eq!(place.read("stories.txt"), stdout);
    assert_ne!(
        place.ok(&["data", "synth", "--seed", "8", "--size", "20KB"]),
        stdout
    );

    let shares = json(&place.ok(&["data", "synth", "--check", "stories.txt", "--json"]));
    assert_eq!(
        (&shares["sentence_share"], &shares["story_share"]),
        (&json("1.0"), &json("1.0"))
    );
    assert!(
        place
            .ok(&["data", "synth", "--check", "stories.txt"])
            .contains("100.00 %")
    );
    assert_eq!(
        place
            .run_with(&["data", "synth", "--check", "-", "--json"], stdout)
            .code,
        0
    );

    place.write(
        "other.txt",
        "Colorless green ideas sleep furiously. No story says so.\n",
    );
    let shares = json(&place.ok(&["data", "synth", "--check", "other.txt", "--json"]));
    assert_eq!(shares["sentences_parsed"], json("0"));
}

#[test]
fn bad_input_is_refused_with_its_name() {
    let place = Place::new();
    place.write("binary.txt", b"\xff").write("there.txt", "old");
    place.refused(&["data", "synth", "--size", "many"], 2, &["--size", "many"]);
    place.refused(&["data", "synth", "--size", "0"], 2, &["--size"]);
    place.refused(&["data", "synth", "--seed", "x"], 2, &["--seed", "x"]);
    place.refused(&["data", "synth", "--json"], 2, &["--check"]);
    place.refused(&["data", "synth", "--check", "none.txt"], 1, &["none.txt"]);
    place.refused(
        &["data", "synth", "--check", "binary.txt"],
        1,
        &["binary.txt", "UTF-8"],
    );
    place.refused(
        &["data", "synth", "--size", "1KB", "--output", "there.txt"],
        1,
        &["there.txt", "--force"],
    );
    place.refused(
        &["data", "synth", "--size", "1KB", "--output", "."],
        1,
        &["folder"],
    );
    place.refused(
        &["data", "synth", "--size", "1KB", "--output", "no/where.txt"],
        1,
        &["no/where.txt"],
    );
    assert_eq!(place.read("there.txt"), "old");
    place.ok(&[
        "data",
        "synth",
        "--size",
        "1KB",
        "--output",
        "there.txt",
        "--force",
    ]);
    assert_ne!(place.read("there.txt"), "old");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_device_is_named() {
    for arguments in [
        &["data", "synth", "--size", "100KB"][..],
        &["models"],
        &["models", "--json"],
    ] {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("llm"))
            .args(arguments)
            .stdout(full)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("stdout: cannot write") && stderr.lines().count() == 1,
            "{arguments:?}: {stderr}"
        );
    }
}

#[test]
#[cfg(unix)]
fn a_reader_that_leaves_is_no_failure() {
    use std::io::Read;
    use std::process::{Command, Stdio};

    let mut child = Command::new(assert_cmd::cargo::cargo_bin("llm"))
        .args(["data", "synth", "--size", "5MB"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}
