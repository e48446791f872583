//! Every path of every command, by the rows of `hostile.table`: missing, a folder, empty, binary, closed to the user.
//!
//! Each is refused in one line that names it, without a panic, with exit code 1, and nothing is left where output would have gone.

use crate::{Ended, Place, search};

/// What stands behind a path.
const KINDS: [&str; 4] = ["missing", "folder", "empty", "binary"];

/// Bytes that are no text and no file of any kind.
fn noise() -> Vec<u8> {
    let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
    (0..4096).map(noise).collect()
}

#[test]
fn what_stands_behind_a_path_is_named() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "3"]);
    place.write("search.toml", search::TINY);
    for end in ["", ".txt", ".toml", ".json", ".jinja"] {
        place.write(&format!("empty{end}"), "");
        place.write(&format!("binary{end}"), noise());
        std::fs::create_dir(place.path().join(format!("folder{end}"))).unwrap();
    }
    for (command, accepted) in rows() {
        for kind in KINDS {
            if !accepted.split_whitespace().any(|word| word == kind) {
                let command = command.replace('@', kind);
                let arguments: Vec<_> = command.split_whitespace().collect();
                check(&place, &command, kind, &place.run(&arguments));
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_named() {
    let place = Place::with_text();
    place.train("run", &["--max-steps", "3"]);
    place.write("search.toml", search::TINY);
    place.chmod_all("run");
    // A file of which nothing may be read, and a folder into which nobody may look.
    for end in ["", ".txt", ".toml", ".json", ".jinja"] {
        place.write(&format!("closed{end}"), "text");
        place.chmod(format!("closed{end}"), 0);
    }
    std::fs::create_dir(place.path().join("shut")).unwrap();
    place.chmod("shut", 0);
    let test = "what_may_not_be_read_is_named";
    let Some(nobody) = crate::nobody::Nobody::in_place(&place, test) else {
        return;
    };
    let mut faults = String::new();
    for (command, _) in rows() {
        for kind in ["closed", "shut/x"] {
            let command = command.replace('@', kind);
            let arguments: Vec<_> = command.split_whitespace().collect();
            let ended = nobody.run(&arguments);
            check(&place, &command, kind, &ended);
            let said = ended.stderr.to_lowercase();
            // What is no folder, or is no model by its name, is not opened.
            let is_unopened = kind == "closed"
                && ["known kind", "folder"]
                    .iter()
                    .any(|part| said.contains(part));
            if !is_unopened && !said.contains("permission denied") {
                faults += &format!("{command}: {}", ended.stderr);
            }
        }
    }
    assert_eq!(faults, "");
    place.chmod("shut", 0o755);
}

/// Commands, and the kinds of paths that are no fault in them.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("hostile.table")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('|').unwrap())
}

/// One line names the path, and nothing else is said or left.
fn check(place: &Place, command: &str, path: &str, ended: &Ended) {
    ended.names_fault(command, path);
    assert_eq!(ended.stdout, "", "{command}");
    assert!(
        !place.path().join("out").exists(),
        "{command} leaves output"
    );
}
