//! Samplers from outside: what each changes, what is refused, and what `--explain` tells of them.

use serde_json::Value;

use crate::generate::place;
use crate::json;

#[test]
fn every_sampler_changes_the_text_or_is_refused() {
    let (place, _) = place();
    let base = [
        "generate",
        "--model",
        "m",
        "--prompt",
        "abcabcabc",
        "--max-new-tokens",
        "40",
        "--seed",
        "1",
        "--json",
    ];
    let tokens = |more: &[&str]| {
        let line = json(&place.ok(&[&base[..], more].concat()));
        line["tokens"].as_array().unwrap().clone()
    };
    let plain = tokens(&[]);
    for more in [
        &["--temperature", "0.3"][..],
        &["--top-k", "2"],
        &["--top-p", "0.3"],
        &["--min-p", "0.5"],
        &["--typical-p", "0.3"],
        &["--xtc-probability", "1", "--xtc-threshold", "0.01"],
        &["--strategy", "mirostat"],
        &["--dynatemp-range", "0.9"],
        &["--repetition-penalty", "2"],
        &["--presence-penalty", "3"],
        &["--frequency-penalty", "-2"],
        &["--dry-multiplier", "5", "--dry-allowed-length", "1"],
        &["--no-repeat-ngram", "1"],
        &["--logit-bias", "5=8", "--logit-bias", "7=7.5"],
        &[
            "--ban",
            "a",
            "--ban-token",
            "2",
            "--ban-token",
            &plain[0].to_string(),
        ],
    ] {
        assert_ne!(tokens(more), plain, "{more:?}");
    }
    // What refines a sampler changes what it does.
    for (sampler, more) in [
        (
            &["--strategy", "mirostat"][..],
            &["--mirostat-tau", "1"][..],
        ),
        (&["--strategy", "mirostat"], &["--mirostat-eta", "1"]),
        (&["--dynatemp-range", "0.9"], &["--dynatemp-exponent", "4"]),
        (&["--xtc-probability", "0.9"], &["--xtc-threshold", "0.02"]),
        (&["--dry-multiplier", "2"], &["--dry-allowed-length", "1"]),
        (
            &["--dry-multiplier", "0.01", "--logit-bias", "34=12"],
            &["--dry-base", "90"],
        ),
        (
            &["--dry-multiplier", "2", "--dry-allowed-length", "1"],
            &["--dry-last-n", "3"],
        ),
        (
            &["--dry-multiplier", "9", "--logit-bias", "34=12"],
            &["--dry-breaker", "c"],
        ),
        (
            &["--dry-multiplier", "9", "--logit-bias", "34=12"],
            &["--set", "generate.dry_breaker_tokens=[36]"],
        ),
    ] {
        assert_ne!(
            tokens(&[sampler, more].concat()),
            tokens(sampler),
            "{more:?}"
        );
    }
    // Whatever is set, guesses change nothing.
    let all = [
        "--presence-penalty",
        "0.5",
        "--frequency-penalty",
        "0.2",
        "--dry-multiplier",
        "1",
        "--logit-bias",
        "9=1",
        "--typical-p",
        "0.9",
        "--xtc-probability",
        "0.5",
        "--dynatemp-range",
        "0.5",
        "--ban",
        "a",
    ];
    for samplers in [&all[..], &["--strategy", "mirostat", "--mirostat-tau", "2"]] {
        let plain = tokens(samplers);
        assert_eq!(tokens(&[samplers, &["--lookup"]].concat()), plain);
        assert_eq!(tokens(&[samplers, &["--draft-model", "m"]].concat()), plain);
    }
    for (more, part) in [
        (&["--mirostat-tau", "5"][..], "generate.mirostat_tau"),
        (
            &["--strategy", "mirostat", "--top-k", "5"],
            "generate.top_k",
        ),
        (&["--xtc-threshold", "0.1"], "generate.xtc_threshold"),
        (&["--dynatemp-exponent", "2"], "generate.dynatemp_exponent"),
        (&["--dry-base", "2"], "generate.dry_base"),
        (
            &["--strategy", "greedy", "--typical-p", "0.5"],
            "generate.typical_p",
        ),
        (&["--typical-p", "nan"], "generate.typical_p"),
        (
            &["--presence-penalty", "-1000"],
            "generate.presence_penalty",
        ),
        (&["--logit-bias", "5"], "11=-2.5"),
        (&["--logit-bias", "5=inf"], "generate.logit_bias"),
        (&["--logit-bias", "900=1"], "token 900"),
        (&["--set", "generate.logit_bias.x=1"], "`x` is no token id"),
        (&["--ban-token", "61"], "token 61"),
        (&["--ban", "ab"], "is 2 tokens here"),
        (&["--ban", "?"], "'?'"),
        (
            &["--dry-multiplier", "1", "--dry-breaker", "?"],
            "no token of the model holds",
        ),
    ] {
        place.refused(&[&base[..], more].concat(), 2, &[part]);
    }
}

#[test]
fn a_bias_and_a_ban_decide() {
    let (place, _) = place();
    let base = [
        "generate",
        "--model",
        "m",
        "--prompt",
        "ab",
        "--max-new-tokens",
        "12",
        "--json",
    ];
    let tokens = |more: &[&str]| json(&place.ok(&[&base[..], more].concat()))["tokens"].clone();
    assert_eq!(tokens(&["--logit-bias", "9=100"]), Value::from(vec![9; 12]));
    // From a configuration, where it is a table.
    place.write("c.toml", "[generate]\nlogit_bias = { \"9\" = 100 }\n");
    assert_eq!(tokens(&["--config", "c.toml"]), Value::from(vec![9; 12]));
    let banned: Vec<String> = (0..61)
        .filter(|id| *id != 9)
        .map(|id| format!("--ban-token={id}"))
        .collect();
    let banned: Vec<&str> = banned.iter().map(String::as_str).collect();
    assert_eq!(tokens(&banned), Value::from(vec![9; 12]));
    let all: Vec<&str> = [&banned[..], &["--ban-token=9"]].concat();
    place.refused(
        &[&base[..], &all].concat(),
        2,
        &["generate.banned_tokens is every token"],
    );
}

#[test]
fn explanations_add_up() {
    let (place, _) = place();
    let base = [
        "generate",
        "--model",
        "m",
        "--prompt",
        "abc",
        "--max-new-tokens",
        "6",
        "--temperature",
        "0.7",
        "--top-k",
        "9",
        "--presence-penalty",
        "1",
    ];
    let plain = json(&place.ok(&[&base[..], &["--json"]].concat()));
    let told = json(&place.ok(&[&base[..], &["--json", "--explain=4"]].concat()));
    assert_eq!(told["tokens"], plain["tokens"]);
    assert_eq!(told["text"], plain["text"]);
    assert!(plain.get("explanations").is_none());
    let explanations = told["explanations"].as_array().unwrap();
    assert_eq!(explanations.len(), 6);
    for (i, step) in explanations.iter().enumerate() {
        assert_eq!(
            (&step["position"], &step["token"]["id"]),
            (&json(&i.to_string()), &told["tokens"][i])
        );
        let names: Vec<_> = step["samplers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["sampler"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["presence_penalty", "temperature", "top_k"]);
        let top_k = &step["samplers"][2];
        assert_eq!(
            (&top_k["left"], &top_k["removed"], &top_k["setting"]),
            (&json("9"), &json("52"), &json("9"))
        );
        let candidates = step["candidates"].as_array().unwrap();
        assert!((4..=5).contains(&candidates.len()));
        let p = |c: &Value, key: &str| c[key].as_f64().unwrap();
        assert!(
            candidates[..4]
                .windows(2)
                .all(|w| p(&w[0], "probability") >= p(&w[1], "probability"))
        );
        let chosen = candidates
            .iter()
            .find(|c| c["id"] == step["token"]["id"])
            .unwrap();
        assert!(p(chosen, "probability_after") > 0.0 && chosen["removed_by"].is_null());
        assert!((p(chosen, "probability").ln() - step["logprob"].as_f64().unwrap()).abs() < 1e-3);
    }
    let shown = place.ok(&[&base[..], &["--explain"]].concat());
    for part in [
        "temperature 0.7",
        "top_k 9",
        "9 left, 52 removed",
        "before",
        "after",
        "›",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown}");
    assert!(
        shown.ends_with(&format!("abc{}\n", told["text"].as_str().unwrap())),
        "{shown}"
    );
    place.refused(&[&base[..], &["--explain=0"]].concat(), 2, &["--explain"]);
    // Several sequences are told apart.
    let several = [&base[..], &["--explain=1", "--num-return-sequences", "2"]].concat();
    assert!(place.ok(&several).contains("sequence 2, token 6"));
}
