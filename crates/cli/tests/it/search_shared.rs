//! Searches that share a study in a database: SQLite always, PostgreSQL where `LLM_POSTGRES_URL` names a server.

use std::io::{self, Write};

use llm_search::{DatabaseUrl, RdbStorage, Recovery, Space, SpaceConfig, Study, StudyOptions};

use crate::runs::{Running, names};
use crate::search::{TINY, place, results, search};
use crate::{Ended, json};

/// Two searches that share a database, which has the address `url`.
fn check_database(url: &str) {
    // Of a server that is there for longer, nothing is known.
    let name = format!("test-{}", std::process::id());
    let shared = ["--storage", url, "--study-name", &name];
    let place = place(|text| text);
    place.ok(&search(&shared));
    assert!(!place.path().join("out/study.jsonl").exists());
    assert_eq!(results(&place)["counts"]["complete"], 3);
    // Another machine joins, and adds what is missing.
    let mut join = search(&[&shared[..], &["--n-trials", "5"]].concat());
    join[6] = "elsewhere";
    place.ok(&join);
    let found = json(&place.read("elsewhere/search_results.json"));
    assert_eq!(found["counts"]["complete"], 5, "{found}");
    assert_eq!(
        names(&place.path().join("elsewhere/trials")),
        ["003", "004"]
    );
    // Its best trial may be one of the first machine's.
    place.ok(&[
        "train",
        "--config",
        "elsewhere/best_config.toml",
        "--output-dir",
        "best",
    ]);
    // The password is not kept in the folder.
    let address = url.split_once('@').map_or("", |(address, _)| address);
    let password = address
        .rsplit_once(':')
        .map_or("", |(_, password)| password);
    let mut show = place.program();
    show.env("PGPASSWORD", password)
        .args(["search", "show", "out", "--json"]);
    let shown = Ended::of(&mut show);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert_eq!(json(&shown.stdout)["counts"]["complete"], 5);
    // Another search must not slip in.
    let mut other = search(&[&shared[..], &["--set", "train.max_steps=9"]].concat());
    other[6] = "other";
    let ended = place.run(&other);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("config.train.max_steps") && ended.stderr.contains("--study-name"),
        "{}",
        ended.stderr
    );
    let another = format!("{name}-other");
    let place_of_name = other.iter().position(|word| **word == name).unwrap();
    other[place_of_name] = &another;
    other.extend(["--n-trials", "1"]);
    place.ok(&other);
    // What would be ignored is refused.
    let again = search(&[&shared[..], &["--force"]].concat());
    place.refused(&again, 2, &["--force", "--study-name", "--resume"]);
    let mut seeded = search(&[&shared[..], &["--seed", "9"]].concat());
    seeded[6] = "seeded";
    let ended = place.run(&seeded);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the seed 7, this search 9"),
        "{}",
        ended.stderr
    );
    place.refused(
        &[
            "search",
            "--resume",
            "out",
            "--storage",
            "sqlite:///elsewhere.db",
        ],
        2,
        &["--storage", "search.json"],
    );
    let found = json(&place.read("other/search_results.json"));
    assert_eq!(found["trials"].as_array().unwrap().len(), 1);
}

#[test]
fn searches_share_a_database() {
    let folder = tempfile::tempdir().unwrap();
    check_database(&format!(
        "sqlite:///{}",
        folder.path().join("study.db").display()
    ));
}

#[test]
fn searches_share_a_server_of_postgresql() {
    let Ok(url) = std::env::var("LLM_POSTGRES_URL") else {
        // Straight to stderr: what tests print is captured.
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: LLM_POSTGRES_URL names no server; cargo xtask ci --only servers starts one"
        );
        return;
    };
    check_database(&url);
}

#[test]
fn the_password_of_a_database_is_not_kept_and_faults_of_it_are_named() {
    let place = place(|text| text);
    let refused = |url: &str, code, parts: &[&str]| {
        place.refused(&search(&["--storage", url]), code, parts);
    };
    refused("study.db", 2, &["study.db", "postgresql://", "sqlite:///"]);
    refused("mysql://me@host/db", 2, &["mysql", "not supported"]);
    for address in [
        "postgresql://me:secret@host",
        "postgresql:/me:secret@host/db",
        "mysql://me:secret@h/db",
    ] {
        let ended = place.run(&search(&["--storage", address]));
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
    place.refused(
        &[
            "search",
            "--config",
            "s.toml",
            "--data",
            "-",
            "--output-dir",
            "out",
        ],
        2,
        &["standard input"],
    );
    refused("sqlite:///missing/study.db", 1, &["missing/study.db"]);
    assert!(!place.path().join("out").exists(), "nothing was begun");
    place.refused(
        &search(&["--study-name", "x"]),
        2,
        &["search.study_name", "--storage"],
    );
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("postgresql://me:secret@127.0.0.1:{port}/db");
    refused(&url, 1, &["me@127.0.0.1", "cannot be reached"]);
    place.write(
        "study.toml",
        TINY.replace("seed = 7", &format!("seed = 7\nstorage = \"{url}\"")),
    );
    let ended = place.run(&[
        "search",
        "--config",
        "study.toml",
        "--data",
        "text.txt",
        "--output-dir",
        "out",
    ]);
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    assert!(!place.path().join("out").exists(), "nothing was begun");
}

#[test]
fn a_trial_that_others_took_over_ends_and_not_the_search() {
    let place = place(|text| {
        text.replace("max_steps = 8", "max_steps = 3000")
            .replace("[\"model.d_model % model.n_heads == 0\"]", "[]")
    });
    let path = place.path().join("study.db");
    let url = format!("sqlite:///{}", path.display());
    let arguments = search(&["--storage", &url, "--n-trials", "1"]);
    let mut running = Running::new(place.command(&arguments));
    assert!(running.wait_until(|| place.path().join("out/trials/000/metrics.jsonl").exists()));
    // Another machine takes this one for gone.
    let storage = RdbStorage::open(DatabaseUrl::parse(&url).unwrap(), "llm").unwrap();
    let space: SpaceConfig =
        serde_json::from_value(serde_json::json!({"x": {"min": 0.0, "max": 1.0}})).unwrap();
    let options = StudyOptions {
        name: "llm".to_owned(),
        ..StudyOptions::default()
    };
    let space = Space::new(space.parameters).unwrap();
    let mut study = Study::open(Box::new(storage), space, options).unwrap();
    assert_eq!(study.recover(Recovery::All).unwrap(), [0]);
    drop(study);
    let output = running.wait();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(
        stderr.contains("trial 0 was given to another worker"),
        "{stderr}"
    );
    let found = results(&place);
    assert_eq!(found["trials"][0]["state"], "failed");
    assert_eq!(found["trials"][1]["state"], "complete");
    assert_eq!(found["trials"][1]["params"], found["trials"][0]["params"]);
}
