//! What every command writes, by the rows of `outputs.table`, where it may not or can not be written: one line says so, exit code 1, and what was there
//! stays. And where the command is interrupted: nothing half is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::nobody::{Nobody, wrapped};
use crate::runs::{Running, names};
use crate::{Ended, Place, search};

/// Into how many parts the time of a command is cut, to interrupt it after each.
const MOMENTS: u32 = 8;

/// Commands, and how the names of their files end.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("outputs.table")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once('|').unwrap())
        .map(|(command, end)| (command, end.trim()))
}

/// Texts, a run and a search.
fn place() -> Place {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "3"]);
    place.write("search.toml", search::TINY);
    place.ok(&words("data synth --size 5KB --output stories.txt"));
    let found = "search --config search.toml --data text.txt --n-trials 2 --output-dir found";
    place.ok(&words(found));
    place
}

fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().collect()
}

#[test]
fn what_is_there_is_written_over_only_with_force() {
    let place = place();
    fs::create_dir(place.path().join("there")).unwrap();
    place.write("there/mine", "mine");
    for (command, end) in rows() {
        let name = format!("there{end}");
        if !end.is_empty() {
            place.write(&name, "mine");
        }
        let command = command.replace('@', &name);
        place.run(&words(&command)).names_fault(&command, &name);
        let kept = if end.is_empty() { "there/mine" } else { &name };
        assert_eq!(place.read(kept), "mine", "{command}");
    }
    assert_eq!(fs::read_dir(place.path().join("there")).unwrap().count(), 1);
}

#[test]
fn a_file_in_the_way_of_a_folder_and_a_folder_in_the_way_of_a_file_are_named() {
    let place = place();
    place.write("file", "mine");
    for (command, end) in rows() {
        let below = command.replace('@', &format!("file/out{end}"));
        place.run(&words(&below)).names_fault(&below, "file");
        let name = if end.is_empty() {
            "file".to_owned()
        } else {
            let name = format!("folder{end}");
            fs::create_dir_all(place.path().join(&name)).unwrap();
            place.write(&format!("{name}/mine"), "mine");
            name
        };
        // Not even by force.
        let force = if command.starts_with("search plot")
            || !end.is_empty()
            || command.starts_with("train")
        {
            " --force"
        } else {
            ""
        };
        let other = command.replace('@', &name) + force;
        place.run(&words(&other)).names_fault(&other, &name);
        let kept = if end.is_empty() {
            name
        } else {
            format!("{name}/mine")
        };
        assert_eq!(place.read(&kept), "mine", "{other}");
    }
}

#[test]
fn folders_around_an_output_folder_are_made_and_those_around_a_file_are_not() {
    let place = place();
    for (row, (command, end)) in rows().enumerate() {
        let around = format!("new-{row}/deep");
        let command = command.replace('@', &format!("{around}/out{end}"));
        if end.is_empty() {
            place.ok(&words(&command));
            assert!(place.path().join(&around).join("out").is_dir(), "{command}");
        } else {
            place.run(&words(&command)).names_fault(&command, &around);
            assert!(!place.path().join(format!("new-{row}")).exists());
        }
    }
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    let place = place();
    for folder in ["run", "found"] {
        place.chmod_all(folder);
    }
    fs::create_dir(place.path().join("locked")).unwrap();
    place.chmod("locked", 0o555);
    let Some(nobody) = Nobody::in_place(&place, "a_folder_that_may_not_be_written_is_named") else {
        return;
    };
    for (command, end) in rows() {
        let command = command.replace('@', &format!("locked/out{end}"));
        let ended = nobody.run(&words(&command));
        ended.names_fault(&command, "locked");
        assert!(
            ended.stderr.to_lowercase().contains("permission denied"),
            "{command}: {}",
            ended.stderr
        );
    }
    assert_eq!(
        fs::read_dir(place.path().join("locked")).unwrap().count(),
        0
    );
}

/// No file may grow beyond so many blocks of 512 bytes: a disk that fills while it is written to.
fn on_a_full_disk(place: &Place, blocks: u32, command: &str) -> Ended {
    // Without the trap, the signal that comes with the error would end the program.
    let limit = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut shell = wrapped(&place.command(&words(command)), &["sh", "-c", &limit]);
    Ended::from(shell.output().unwrap())
}

#[test]
fn a_disk_that_fills_leaves_no_half_of_a_file() {
    let place = place();
    // So that it is not the cache that does not fit.
    place.ok(&words(
        "data prepare --data text.txt --set tokenizer.kind=character",
    ));
    for (command, end) in rows() {
        let name = format!("out{end}");
        place.write(&format!("there{end}"), "mine");
        let command = command.replace('@', &name);
        let ended = on_a_full_disk(&place, 0, &command);
        ended.names_fault(&command, "");
        let left = place.path().join(&name);
        assert!(!left.is_file(), "{command} leaves a file");
    }
}

/// The bytes of a file, or the names in a folder.
fn content(path: &Path) -> Vec<u8> {
    if path.is_dir() {
        names(path).join("/").into_bytes()
    } else {
        fs::read(path).unwrap()
    }
}

/// The files and folders below `folder` that are not finished.
fn partial(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with(".partial-") || name.starts_with(".new-") {
            found.push(path);
        } else if path.is_dir() {
            found.extend(partial(&path));
        }
    }
    found
}

#[test]
fn ctrl_c_at_any_moment_leaves_no_half_of_anything() {
    let place = place();
    let mut interrupted = 0;
    for (row, (command, end)) in rows().enumerate() {
        let whole = format!("{row}-whole{end}");
        let began = Instant::now();
        place.ok(&words(&command.replace('@', &whole)));
        let time = began.elapsed();
        let whole = content(&place.path().join(whole));
        for moment in 1..=MOMENTS {
            let name = format!("{row}-{moment}{end}");
            let command = command.replace('@', &name);
            let mut running = Running::new(place.command(&words(&command)));
            std::thread::sleep(time * moment / MOMENTS);
            running.signal("INT");
            let output = running.wait();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!stderr.contains("panicked"), "{command}: {stderr}");
            let path = place.path().join(&name);
            match output.status.code() {
                // It was faster.
                Some(0) => assert!(path.exists(), "{command}"),
                Some(130) => interrupted += 1,
                // Before the program could ask for the signal.
                None => {}
                code => panic!("{command}: {code:?} {stderr}"),
            }
            assert_eq!(
                partial(place.path()),
                [""; 0].map(PathBuf::from),
                "{command}"
            );
            // A run or a search may have begun; its own tests say what is left then.
            let begins = command.starts_with("train") || command.starts_with("search --config");
            if !begins && path.exists() {
                // It was over but for a last look at what it wrote.
                assert!(content(&path) == whole, "{command} leaves a half");
            }
        }
    }
    assert!(interrupted > 0, "every command was faster");
}
