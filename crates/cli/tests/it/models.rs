//! `llm models`, and models that are not there.

use crate::{Place, json};

#[test]
fn presets_are_listed_with_their_sizes() {
    let place = Place::new();
    let presets = json(&place.ok(&["models", "--json"]));
    let presets = presets.as_array().unwrap();
    assert!(!presets.is_empty());
    let table = place.ok(&["models"]);
    for preset in presets {
        assert!(table.contains(preset["name"].as_str().unwrap()), "{preset}");
        assert!(preset["parameters"].as_u64().unwrap() > 0, "{preset}");
    }
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let place = Place::new();
    place.write("file", "").write("a.txt", "text");
    std::fs::create_dir(place.path().join("empty")).unwrap();
    for (model, part) in [
        ("none", "does not exist"),
        ("file", "a file of no known kind"),
        ("empty", "empty"),
    ] {
        place.refused(
            &["generate", "--model", model, "--prompt", "a"],
            1,
            &[model, part],
        );
        place.refused(
            &["eval", "perplexity", "--model", model, "--data", "a.txt"],
            1,
            &[model, part],
        );
    }
}

#[test]
fn settings_of_generation_are_checked_before_the_model_is_read() {
    let place = Place::new();
    place
        .write("empty.txt", "")
        .write("g.toml", "[generate]\ntop_k = 0\n");
    let generate =
        |arguments: &[&'static str]| [&["generate", "--model", "none"][..], arguments].concat();
    place.refused(&generate(&[]), 2, &["--prompt"]);
    place.refused(
        &generate(&["--prompt", "a", "--prompts-file", "b"]),
        2,
        &["--prompt"],
    );
    place.refused(
        &generate(&["--prompt", "a", "--temperature", "0"]),
        2,
        &["--temperature", "generate.temperature"],
    );
    place.refused(
        &generate(&["--prompt", "a", "--temperature", "-1"]),
        2,
        &["--temperature", "-1"],
    );
    place.refused(
        &generate(&["--prompt", "a", "--temperature", "nan"]),
        2,
        &["--temperature"],
    );
    place.refused(
        &generate(&["--prompt", "a", "--top_p", "1.5"]),
        2,
        &["--top-p", "1.5"],
    );
    place.refused(
        &generate(&["--prompt", "a", "--strategy", "top-k", "--top-p", "0.5"]),
        2,
        &["--top-p", "strategy"],
    );
    place.refused(
        &generate(&["--prompt", "a", "--strategy", "beam"]),
        2,
        &["greedy", "sample", "top-k", "top-p", "min-p"],
    );
    place.refused(&generate(&["--prompt", "a", "--stop", ""]), 2, &["--stop"]);
    place.refused(
        &generate(&["--prompt", "a", "--set", "generate.topk=5"]),
        2,
        &["--set", "generate.top_k"],
    );
    place.refused(
        &generate(&["--prompt", "a", "--config", "g.toml"]),
        1,
        &["g.toml:2", "generate.top_k"],
    );
    place.refused(&generate(&["--prompts-file", "none.txt"]), 1, &["none.txt"]);
    place.refused(
        &generate(&["--prompts-file", "empty.txt"]),
        1,
        &["empty.txt"],
    );
}
