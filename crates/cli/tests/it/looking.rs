//! `llm inspect attention` and `llm inspect logit-lens` on a tiny model whose attention and hidden states transformers has computed.

use std::fs;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::generate::{place, place_of};
use crate::inspect::golden;
use crate::json;

/// What transformers sees in the tiny GPT-2.
fn expected() -> Value {
    json(&fs::read_to_string(golden("inspecting/gpt2.json")).unwrap())
}

/// The tokens of that, as an argument.
fn tokens(expected: &Value) -> String {
    let ids = expected["ids"].as_array().unwrap().iter();
    ids.map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[track_caller]
fn close(ours: &Value, theirs: &Value, tolerance: f64) {
    let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
    assert!((ours - theirs).abs() < tolerance, "{ours} {theirs}");
}

#[test]
fn attention_is_that_of_transformers_in_every_kind_of_file() {
    let (place, _) = place();
    let expected = expected();
    let tokens = tokens(&expected);
    let look = ["inspect", "attention", "m", "--tokens", &tokens];
    let report = json(&place.ok(&[&look[..], &["--json"]].concat()));
    let heads = report["heads"].as_array().unwrap();
    assert_eq!(heads.len(), 8);
    for head in heads {
        let at = |key: &str| head[key].as_u64().unwrap() as usize;
        let theirs = &expected["attention"][at("layer")][at("head")];
        for (ours, theirs) in head["probabilities"]
            .as_array()
            .unwrap()
            .iter()
            .zip(theirs.as_array().unwrap())
        {
            for (ours, theirs) in ours
                .as_array()
                .unwrap()
                .iter()
                .zip(theirs.as_array().unwrap())
            {
                close(ours, theirs, 1e-5);
            }
        }
    }
    let one = json(&place.ok(&[&look[..], &["--layer", "1", "--head", "2", "--json"]].concat()));
    assert_eq!(one["heads"].as_array().unwrap().len(), 1);
    assert_eq!(one["heads"][0], heads[6]);

    for (name, begins) in [
        ("a.html", "<!doctype html>"),
        ("a.svg", "<svg"),
        ("a.png", "\u{fffd}PNG"),
        ("a.json", "{\"tokens\""),
    ] {
        place.ok(&[&look[..], &["--output", name]].concat());
        let content = fs::read(place.path().join(name)).unwrap();
        let text = String::from_utf8_lossy(&content);
        assert!(text.starts_with(begins), "{name}");
    }
    assert_eq!(json(&place.read("a.json")), report);
    let page = place.read("a.html");
    assert_eq!(page.matches("data:image/png").count(), 8);
    assert!(
        !page.contains("<script") && !page.contains("http"),
        "a page that stands alone"
    );
    place.ok(&[&look[..], &["--output", "a.safetensors", "--layer", "1"]].concat());
    let content = fs::read(place.path().join("a.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&content).unwrap();
    assert_eq!(tensors.tensor("attention").unwrap().shape(), [4, 9, 9]);

    let table = place.ok(&look);
    assert_eq!(table.lines().count(), 9, "{table}");
    let shades = place.ok(&[&look[..], &["--layer", "0", "--head", "0"]].concat());
    assert!(
        shades.contains("layer 0 head 0") && shades.contains('█'),
        "{shades}"
    );
}

#[test]
fn what_can_not_be_looked_at_is_refused() {
    let (place, _) = place();
    for command in ["attention", "logit-lens"] {
        let with = |arguments: &[&str], code, parts: &[&str]| {
            place.refused(
                &[&["inspect", command, "m"], arguments].concat(),
                code,
                parts,
            );
        };
        with(&[], 2, &["--text", "--tokens"]);
        with(&["--text", ""], 2, &["0 tokens", "1 to 80"]);
        with(&["--text", &"A".repeat(81)], 2, &["81 tokens", "1 to 80"]);
        with(
            &["--text", "A", "--tokens", "1"],
            2,
            &["--text", "--tokens"],
        );
        with(&["--tokens", "61"], 2, &["61", "the model has 61 tokens"]);
        with(&["--text", "語"], 2, &["語"]);
        with(
            &["--text", "Aa", "--output", "a.pdf"],
            2,
            &["a.pdf", ".html", ".png"],
        );
        with(&["--text", "Aa", "--output", "none/a.html"], 1, &["none"]);
        with(
            &["--text", "Aa", "--output", "a.html", "--json"],
            2,
            &["--json"],
        );
        with(&["--text", "Aa", "--force"], 2, &["--output"]);
        place.write("a.svg", "mine");
        with(
            &["--text", "Aa", "--output", "a.svg"],
            1,
            &["a.svg", "exists", "--force"],
        );
        assert_eq!(place.read("a.svg"), "mine");
        place.ok(&[
            "inspect", command, "m", "--text", "Aa", "--output", "a.svg", "--force",
        ]);
        assert!(place.read("a.svg").starts_with("<svg"));
        fs::remove_file(place.path().join("a.svg")).unwrap();
        place.refused(&["inspect", command, "none", "--text", "A"], 1, &["none"]);
    }
    let look = ["inspect", "attention", "m", "--text", "Aa"];
    place.refused(
        &[&look[..], &["--layer", "2"]].concat(),
        2,
        &["--layer 2", "layers 0 to 1"],
    );
    place.refused(
        &[&look[..], &["--head", "4"]].concat(),
        2,
        &["--head 4", "heads 0 to 3"],
    );
    let lens = ["inspect", "logit-lens", "m", "--text", "Aa"];
    place.refused(
        &[&lens[..], &["--position", "2"]].concat(),
        2,
        &["--position 2", "0 to 1"],
    );
    place.refused(
        &[&lens[..], &["--top", "3"]].concat(),
        2,
        &["--top", "--position"],
    );
    place.refused(
        &[&lens[..], &["--top", "0", "--json"]].concat(),
        2,
        &["--top"],
    );
    place.refused(
        &[&lens[..], &["--output", "a.safetensors"]].concat(),
        2,
        &[".json"],
    );
}

#[test]
fn the_lens_is_that_of_transformers_and_ends_with_the_model() {
    let (place, _) = place();
    let expected = expected();
    let tokens = tokens(&expected);
    let look = ["inspect", "logit-lens", "m", "--tokens", &tokens];
    let report = json(&place.ok(&[&look[..], &["--json", "--top", "61"]].concat()));
    let depths = report["depths"].as_array().unwrap();
    assert_eq!(depths.len(), 3);
    assert_eq!(
        (&depths[0]["name"], &depths[2]["name"]),
        (&"embedding".into(), &"block 1".into())
    );
    for (depth, theirs) in depths.iter().zip(expected["lens"].as_array().unwrap()) {
        let positions = depth["positions"].as_array().unwrap().iter();
        for (position, theirs) in positions.zip(theirs.as_array().unwrap()) {
            let scores: Vec<f64> = theirs
                .as_array()
                .unwrap()
                .iter()
                .map(|s| s.as_f64().unwrap())
                .collect();
            let sum: f64 = scores.iter().map(|s| s.exp()).sum();
            for likely in position["best"].as_array().unwrap() {
                let theirs = scores[likely["id"].as_u64().unwrap() as usize].exp() / sum;
                close(&likely["probability"], &theirs.into(), 1e-4);
            }
        }
    }
    assert_eq!(depths[2]["best_is_final"], 1.0);
    assert_eq!(depths[2]["mean_kl"], 0.0);
    assert!(depths[2]["positions"][8]["next"].is_null());

    place.ok(&[&look[..], &["--output", "l.html", "--top", "2"]].concat());
    let page = place.read("l.html");
    assert!(page.contains("Logit lens of m") && !page.contains("<script"));
    assert_eq!(page.matches("<details>").count(), 9);
    for (name, begins) in [
        ("l.svg", "<svg"),
        ("l.png", "\u{fffd}PNG"),
        ("l.json", "{\"tokens\""),
    ] {
        place.ok(&[&look[..], &["--output", name]].concat());
        let content = fs::read(place.path().join(name)).unwrap();
        assert!(
            String::from_utf8_lossy(&content).starts_with(begins),
            "{name}"
        );
    }
    let table = place.ok(&look);
    assert!(
        table.contains("embedding") && table.contains("best is final"),
        "{table}"
    );
    let one = place.ok(&[&look[..], &["--position", "3", "--top", "2"]].concat());
    assert_eq!(one.lines().count(), 5, "{one}");
    // A text of one token has no next one.
    let short = json(&place.ok(&["inspect", "logit-lens", "m", "--text", "A", "--json"]));
    assert!(short["depths"][0]["next_rank"].is_null());
}

#[test]
fn what_would_not_be_seen_or_would_be_markup_is_neither_in_pages() {
    let text = "<b>&\"\n\u{1b}\u{a0}\u{200b}";
    // 60 characters beside the end of text make the model's 61 tokens.
    let others = ('A'..='Z')
        .chain('a'..='z')
        .chain('0'..='9')
        .filter(|c| !text.contains(*c));
    let characters: String = text
        .chars()
        .chain(others.take(60 - text.chars().count()))
        .collect();
    let place = place_of(&characters);
    for command in ["attention", "logit-lens"] {
        let look = ["inspect", command, "m", "--text", text];
        for name in ["a.html", "a.svg"] {
            place.ok(&[&look[..], &["--force", "--output", name]].concat());
            let page = place.read(name);
            assert!(
                !page.contains("<b>") && !page.contains('\u{1b}') && !page.contains('\u{200b}'),
                "{command} {name}"
            );
            if name == "a.html" {
                assert!(
                    page.contains("&lt;U+001B&gt;")
                        && page.contains("&lt;U+200B&gt;")
                        && page.contains('⏎')
                );
            }
        }
        let table = place.ok(&look);
        assert!(
            !table.contains('\u{1b}') && !table.contains('\u{200b}'),
            "{table}"
        );
        let report = json(&place.ok(&[&look[..], &["--json"]].concat()));
        assert_eq!(report["tokens"][6]["label"], "<U+001B>");
    }
}

#[test]
fn a_bos_token_comes_first_where_it_is_wanted() {
    let (place, _) = place();
    let count = |command: &str, arguments: &[&str]| {
        let look = [&["inspect", command, "m", "--json"], arguments].concat();
        json(&place.ok(&look))["tokens"].as_array().unwrap().len()
    };
    for command in ["attention", "logit-lens"] {
        assert_eq!(count(command, &["--text", "Aa"]), 2);
        assert_eq!(count(command, &["--text", "Aa", "--bos"]), 3);
        // The character tokenizer's is 0; one is enough.
        assert_eq!(count(command, &["--tokens", "0,1", "--bos"]), 2);
    }
}
