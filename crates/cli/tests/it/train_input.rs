//! What `llm train` refuses, and that it then leaves nothing behind.

use std::fs;

use crate::Place;
use crate::runs::{names, tiny};

/// `llm train` must refuse with one line that contains every one of `parts`, and make no run.
#[track_caller]
fn check(place: &Place, more: &[&str], code: i32, parts: &[&str]) {
    let before = names(place.path());
    place.refused(&tiny("new-run", more), code, parts);
    let mut after = names(place.path());
    after.retain(|name| name != "cache");
    assert_eq!(
        after,
        before
            .into_iter()
            .filter(|name| name != "cache")
            .collect::<Vec<_>>()
    );
}

#[test]
fn bad_data_is_refused_with_its_name() {
    let place = Place::with_text();
    let mut gzip = {
        use std::io::Write;
        let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        file.write_all(&place.bytes("text.txt")).unwrap();
        file.finish().unwrap()
    };
    gzip.truncate(gzip.len() / 2);
    place
        .write("empty.txt", "")
        .write(
            "binary.txt",
            b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x03\x00\x3e\x00",
        )
        .write("cut.txt.gz", gzip)
        .write("no.txt.gz", "plain text")
        .write("bad.jsonl", "{\"text\": \"a\"}\n{\"text\": \n")
        .write("key.jsonl", "{\"text\": \"a\"}\n{\"body\": \"b\"}\n")
        .write("type.jsonl", "{\"text\": 5}\n")
        .write("short.txt", "only a few words")
        .write("picture.png", b"\x89PNG")
        .write(
            "picture.txt",
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00",
        );
    for folder in ["hollow", "pictures"] {
        fs::create_dir(place.path().join(folder)).unwrap();
    }
    place.write("pictures/a.png", b"\x89PNG");
    for (data, parts) in [
        ("none.txt", &["no such file"][..]),
        ("empty.txt", &["no text"]),
        ("binary.txt", &["binary"]),
        ("picture.txt", &["binary"]),
        ("cut.txt.gz", &["gzip"]),
        ("no.txt.gz", &["gzip"]),
        ("bad.jsonl", &["bad.jsonl:2", "JSON"]),
        ("key.jsonl", &["key.jsonl:2", "`text`", "body"]),
        ("type.jsonl", &["type.jsonl:1", "`text`"]),
        ("hollow", &["folder"]),
        ("pictures", &["folder"]),
        ("picture.png", &[".jsonl"]),
    ] {
        let parts = [&[data], parts].concat();
        check(&place, &["--data", data], 1, &parts);
        // Also as the second of two.
        check(&place, &["--data", "text.txt", data], 1, &parts);
        let validation = format!("data.validation_sources=[\"{data}\"]");
        check(&place, &["--set", &validation], 1, &parts);
    }
    check(
        &place,
        &["--data", "short.txt"],
        1,
        &["training", "tokens", "17", "train.seq_len"],
    );
    check(
        &place,
        &["--set", "data.validation_sources=[\"short.txt\"]"],
        1,
        &["validation", "16", "17"],
    );
}

#[test]
fn bad_settings_are_refused_with_their_name() {
    let place = Place::with_text();
    place
        .write("no.toml", "[train\n")
        .write("key.toml", "[train]\nmax_step = 5\n")
        .write("type.toml", "[train]\nmax_steps = \"many\"\n");
    for (config, parts) in [
        ("none.toml", &[][..]),
        ("no.toml", &["no.toml:1"]),
        ("key.toml", &["key.toml:2", "train.max_steps"]),
        ("type.toml", &["type.toml:2", "train.max_steps", "many"]),
    ] {
        let parts = [&[config], parts].concat();
        check(&place, &["--config", config], 1, &parts);
    }
    for (set, parts) in [
        ("model.family=gtp2", &["gtp2", "gpt2", "llama"][..]),
        ("model.preset=gpt2-124", &["gpt2-124", "gpt2-124m"]),
        ("train.batch_size=-1", &["train.batch_size", "-1"]),
        ("train.keep=0", &["train.keep"]),
        ("data.validation=1.5", &["data.validation", "1.5"]),
        ("train.seq_len=17", &["train.seq_len", "17", "16"]),
        ("model.n_heads=3", &["n_heads", "16", "3"]),
    ] {
        check(&place, &["--set", set], 2, parts);
    }
    let tokenizer = ["--set", "tokenizer.kind=file", "--set"];
    let missing = [&tokenizer[..], &["tokenizer.path=none.json"]].concat();
    check(&place, &missing, 1, &["none.json"]);
    let unnamed = &tokenizer[..2];
    check(&place, unnamed, 2, &["tokenizer.path"]);
}

#[test]
fn bad_output_folders_are_refused_with_their_name() {
    let place = Place::with_text();
    place.write("file", "mine");
    place.refused(&tiny("file", &[]), 1, &["file", "is a file"]);
    place.refused(&tiny("file", &["--force"]), 1, &["file", "is a file"]);
    place.refused(
        &tiny("file/where", &[]),
        1,
        &["file/where", "file is a file"],
    );
    assert_eq!(place.read("file"), "mine");
}

#[cfg(unix)]
mod machine {
    //! Faults of the machine around the run.

    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;
    use std::process::Command;

    use crate::Place;
    use crate::runs::{names, tiny};

    fn skip(test: &str, reason: &str) {
        let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
    }

    /// A small disk of its own, in memory; gone when dropped.
    struct Disk(PathBuf);

    impl Disk {
        fn mount(folder: PathBuf, options: &str) -> Option<Self> {
            fs::create_dir_all(&folder).unwrap();
            let disk = Self(folder);
            disk.try_mount(options).then_some(disk)
        }

        fn try_mount(&self, options: &str) -> bool {
            let mut command = Command::new("mount");
            command.args(["-t", "tmpfs", "-o", options, "llm-test"]);
            command
                .arg(&self.0)
                .output()
                .is_ok_and(|output| output.status.success())
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).output();
        }
    }

    #[test]
    fn a_full_disk_stops_the_run_and_harms_no_checkpoint() {
        let place = Place::with_text();
        // The check before the first step asks for 200 kB; with the small files it takes more.
        let Some(disk) = Disk::mount(place.path().join("disk"), "size=200k") else {
            skip(
                "a_full_disk_stops_the_run_and_harms_no_checkpoint",
                "no disk could be mounted",
            );
            return;
        };
        let more = [
            "--max-steps",
            "10",
            "--set",
            "train.checkpoint_every=1",
            "--set",
            "train.keep=2",
        ];
        let ended = place.run(&tiny("disk/run", &more));
        let last = ended.stderr.lines().last().unwrap();
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        assert!(
            last.contains("disk/run/") && last.contains("No space left"),
            "{last}"
        );
        assert!(!ended.stderr.contains("panicked"));
        let checkpoints = names(&place.path().join("disk/run/checkpoints"));
        assert!(
            !checkpoints.iter().any(|name| name.starts_with(".partial")),
            "{checkpoints:?}"
        );
        assert!(!place.steps("disk/run").is_empty());

        // Too small from the beginning: found before anything is made.
        let big = tiny("disk/big", &["--set", "model.d_model=64"]);
        place.refused(&big, 1, &["disk/big", "free", "train.keep"]);
        assert_eq!(names(&disk.0), ["run"]);

        assert!(disk.try_mount("remount,size=4m"));
        place.ok(&["train", "--resume", "disk/run"]);
        place.train("whole", &more);
        place.assert_same_runs("whole", "disk/run");
    }
}
