//! Every path of every command, by the rows of `hostile.table`: missing, a folder, empty, binary.
//!
//! Each is refused in one line that names it, without a panic, with exit code 1, and nothing is left where output would have gone.

use crate::Place;

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
    for end in ["", ".txt", ".toml", ".json", ".jinja"] {
        place.write(&format!("empty{end}"), "");
        place.write(&format!("binary{end}"), noise());
        std::fs::create_dir(place.path().join(format!("folder{end}"))).unwrap();
    }
    let table = include_str!("hostile.table");
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let (command, accepted) = row.split_once('|').unwrap();
        for kind in KINDS {
            if accepted.split_whitespace().any(|word| word == kind) {
                continue;
            }
            let command = command.replace('@', kind);
            let arguments: Vec<_> = command.split_whitespace().collect();
            let ended = place.run(&arguments);
            let (code, stderr) = (ended.code, &ended.stderr);
            assert!(!stderr.contains("panicked"), "{command}: {stderr}");
            assert_eq!(code, 1, "{command}: {stderr}");
            assert_eq!(ended.stdout, "", "{command}");
            let faults: Vec<_> = stderr
                .lines()
                .filter(|l| l.starts_with("error: "))
                .collect();
            assert_eq!(faults.len(), 1, "{command}: {stderr}");
            assert!(faults[0].contains(kind), "{command}: {stderr}");
            assert!(
                !place.path().join("out").exists(),
                "{command} leaves output"
            );
        }
    }
}
