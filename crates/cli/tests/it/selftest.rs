//! `llm selftest`.

use crate::generate::place;
use crate::json;

#[test]
fn a_sound_model_passes_every_check() {
    let (place, _) = place();
    let out = place.ok(&["selftest", "m", "--json"]);
    let lines: Vec<_> = out.lines().map(json).collect();
    let with = |result: &str| lines.iter().filter(|line| line["result"] == result).count();
    assert_eq!((with("ok"), with("failed")), (6, 0), "{out}");
    // Backends that are not compiled in, with what it takes.
    for line in lines.iter().filter(|line| line["result"] == "not_run") {
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.contains("--features"), "{detail}");
    }
}

#[test]
fn a_tokenizer_of_another_model_fails() {
    let (place, _) = place();
    place.write(
        "more.txt",
        ('!'..='~').chain('\u{a1}'..='\u{ff}').collect::<String>(),
    );
    let train = [
        "tokenizer",
        "train",
        "--data",
        "more.txt",
        "--kind",
        "character",
        "--force",
    ];
    place.ok(&[&train[..], &["--output-dir", "m"]].concat());
    let ended = place.run(&["selftest", "m"]);
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("FAILED"), "{}", ended.stdout);
    assert!(ended.stderr.contains("checks failed"), "{}", ended.stderr);
}
