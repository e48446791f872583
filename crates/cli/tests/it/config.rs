//! Configuration files, `--set` and flags of `llm train`.

use crate::Place;

#[test]
fn a_fault_in_a_file_is_named_with_file_and_key() {
    #[track_caller]
    fn check(name: &str, content: impl AsRef<[u8]>, parts: &[&str]) {
        let place = Place::new();
        place.write(name, content);
        let parts = [&[name], parts].concat();
        place.refused(&["train", "--config", name], 1, &parts);
        // A good argument does not take the blame.
        place.refused(
            &["train", "--config", name, "--set", "train.seed=1"],
            1,
            &parts,
        );
        assert!(!place.path().join("runs").exists());
    }
    check(
        "a.toml",
        "[train]\nmax_step = 5\n",
        &["a.toml:2", "train.max_step", "train.max_steps"],
    );
    check(
        "a.toml",
        "[trian]\nseed = 5\n",
        &["a.toml:1", "trian", "train"],
    );
    check(
        "a.toml",
        "learning_rate = 5\n",
        &["optimizer.learning_rate"],
    );
    check(
        "a.toml",
        "[schedule]\ncolour = 5\n",
        &["schedule.colour", "warmup_steps"],
    );
    check(
        "a.toml",
        "[train]\n\nmax_steps = \"many\"\n",
        &["a.toml:3", "train.max_steps", "whole number", "many"],
    );
    check(
        "a.toml",
        "[train]\nmax_steps = -5\n",
        &["a.toml:2", "train.max_steps", "-5"],
    );
    check(
        "a.toml",
        "[train]\nmax_steps = 1.5\n",
        &["a.toml:2", "train.max_steps", "1.5"],
    );
    check(
        "a.toml",
        "[train]\nmax_steps = 0\n",
        &["a.toml:2", "train.max_steps", "at least 1"],
    );
    check(
        "a.toml",
        "[model]\nfamily = \"gtp2\"\n",
        &[
            "a.toml:2",
            "model.family",
            "gtp2",
            "gpt2",
            "llama",
            "mistral",
        ],
    );
    check(
        "a.toml",
        "[model]\nfamily = 1\n",
        &["a.toml:2", "model.family", "llama"],
    );
    check(
        "a.toml",
        "[optimizer]\nlearning_rate = nan\n",
        &["a.toml:2", "optimizer.learning_rate"],
    );
    check(
        "a.toml",
        "[optimizer]\nbetas = [0.9]\n",
        &["a.toml:2", "optimizer.betas"],
    );
    check(
        "a.toml",
        "[model]\nd_model = 130\n",
        &["a.toml:2", "model.d_model", "130", "n_heads"],
    );
    check(
        "a.toml",
        "[model]\nwindow = 3\n",
        &["a.toml:2", "model.window", "gpt2"],
    );
    check(
        "a.toml",
        "[model]\npreset = \"gpt-5\"\n",
        &["a.toml:2", "model.preset", "gpt2-124m"],
    );
    check("a.toml", "train = 5\n", &["a.toml:1", "train", "table"]);
    check("a.toml", "[train\n", &["a.toml:1"]);
    check("a.toml", "[train]\nseed = 1\nseed = 2\n", &["a.toml:3"]);
    check("a.toml", b"[train]\n# \xff\n", &["a.toml:2", "UTF-8"]);
    check("a.json", "{\"train\": {\"max_steps\": }}", &["a.json:1"]);
    check(
        "a.json",
        "{\"train\": {\"max_step\": 5}}",
        &["train.max_step", "train.max_steps"],
    );
    check("a.json", "[]", &["table"]);
    check(
        "a.yaml",
        "train:\n  max_step: 5\n",
        &["train.max_step", "train.max_steps"],
    );
    check("a.yml", "train: [1\n", &[]);
    check(
        "a.yaml",
        "train:\n  seed: x\n",
        &["train.seed", "whole number"],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("folder.toml")).unwrap();
    place.refused(&["train", "--config", "none.toml"], 1, &["none.toml"]);
    place.refused(
        &["train", "--config", "folder.toml"],
        1,
        &["folder.toml", "folder"],
    );
}

#[test]
fn a_fault_in_an_argument_is_named_with_argument_and_key() {
    let place = Place::new();
    place
        .write("good.toml", "[train]\nseed = 1\n")
        .write("warm.toml", "[schedule]\nwarmup_steps = 500\n");
    for config in [&[][..], &["--config", "good.toml"]] {
        let check = |set: &'static str, parts: &[&str]| {
            let parts = [&["--set"], parts].concat();
            place.refused(&[&["train", "--set", set][..], config].concat(), 2, &parts);
        };
        check("train.max_step=5", &["train.max_step", "train.max_steps"]);
        check("train.max_steps=many", &["train.max_steps", "many"]);
        check("train.max_steps=0", &["train.max_steps", "at least 1"]);
        check("train.max_steps", &["KEY=VALUE"]);
        check("train..seed=5", &["key"]);
        check("model.n_layers=0", &["model.n_layers"]);
        check("model.family=gtp2", &["gtp2", "llama"]);
        check("optimizer.clip=-1", &["optimizer.clip", "-1"]);
        check("optimizer.clip=inf", &["optimizer.clip"]);
        check("data=5", &["data", "table"]);
    }
    place.refused(
        &["train", "--max-steps", "0"],
        2,
        &["--max-steps", "train.max_steps"],
    );
    place.refused(
        &["train", "--config", "warm.toml", "--max-steps", "200"],
        2,
        &["schedule.warmup_steps"],
    );
}
