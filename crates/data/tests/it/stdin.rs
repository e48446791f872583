//! Standard input as a source: the test runs itself with text at its input.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use llm_data::{DataConfig, Format, Source, prepare};
use llm_tokenizer::TokenizerConfig;

use crate::{Folder, of, read_as};

const CHILD: &str = "LLM_DATA_STDIN_TEST";

#[test]
fn standard_input_is_read_several_times_and_leaves_nothing() {
    if let Some(cache) = env::var_os(CHILD) {
        return child(&Folder::new(), cache.as_ref());
    }
    let folder = Folder::new();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).expect("a folder");
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args([
            "--exact",
            "stdin::standard_input_is_read_several_times_and_leaves_nothing",
        ])
        .env(CHILD, folder.path())
        .env("TMPDIR", &spool)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("a child");
    let mut input = child.stdin.take().expect("a pipe");
    let lines: String = (0..50)
        .map(|i| format!("{{\"text\": \"line {i}\"}}\n"))
        .collect();
    input.write_all(lines.as_bytes()).expect("written");
    drop(input);
    assert!(child.wait().expect("an end").success());
    let left = std::fs::read_dir(&spool).expect("a folder").count();
    assert_eq!(left, 0, "temporary files are left behind");
}

#[test]
#[cfg(unix)]
fn a_pipe_is_read_several_times_like_standard_input() {
    let folder = Folder::new();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo").success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::write(pipe, "One.\n<|endoftext|>\nTwo.\n"))
    };
    let cache = folder.path().join("cache");
    let prepared = prepare(&of([pipe]), &TokenizerConfig::default(), &cache).expect("two texts");
    writer.join().expect("no panic").expect("written");
    let chars = prepared.train.chars() + prepared.validation.chars();
    assert_eq!(chars, "One.Two.\n".len() as u64);
}

fn child(folder: &Folder, cache: &std::path::Path) {
    let data = DataConfig {
        format: Some(Format::Jsonl),
        sources: vec![Source::new("-")],
        ..DataConfig::default()
    };
    let prepared = prepare(&data, &TokenizerConfig::default(), cache).expect("good lines");
    let documents = prepared.train.documents() + prepared.validation.documents();
    assert_eq!(documents, 50);
    // There is nothing left of it.
    let error = read_as(Source::new("-"), &DataConfig::default()).expect_err("read before");
    assert!(
        error.to_string().contains("standard input: holds no text"),
        "{error}"
    );
    let twice = of(["-".into(), "-".into()]);
    let error = prepare(&twice, &TokenizerConfig::default(), folder.path()).expect_err("twice");
    assert!(error.to_string().contains("only once"), "{error}");
}
