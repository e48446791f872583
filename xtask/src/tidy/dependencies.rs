//! The direction of dependencies between the crates, and who may know Burn.

use std::path::Path;

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Problem;

/// What a crate may depend on.
struct Rule {
    /// Folder below `crates`.
    folder: &'static str,
    /// The crates of ours, by folder.
    ours: &'static [&'static str],
    burn: Burn,
}

#[derive(PartialEq, Eq)]
enum Burn {
    Allowed,
    Forbidden,
}

const RULES: [Rule; 9] = [
    Rule {
        folder: "files",
        ours: &[],
        burn: Burn::Forbidden,
    },
    Rule {
        folder: "plot",
        ours: &[],
        burn: Burn::Forbidden,
    },
    Rule {
        folder: "search",
        ours: &[],
        burn: Burn::Forbidden,
    },
    Rule {
        folder: "tokenizer",
        ours: &["files"],
        burn: Burn::Forbidden,
    },
    Rule {
        folder: "data",
        ours: &["files", "tokenizer"],
        burn: Burn::Forbidden,
    },
    Rule {
        folder: "core",
        ours: &[],
        burn: Burn::Allowed,
    },
    Rule {
        folder: "models",
        ours: &["core", "files"],
        burn: Burn::Allowed,
    },
    Rule {
        folder: "train",
        ours: &["core", "files", "models", "data", "tokenizer"],
        burn: Burn::Allowed,
    },
    Rule {
        folder: "cli",
        ours: &[
            "core",
            "files",
            "models",
            "data",
            "plot",
            "search",
            "tokenizer",
            "train",
        ],
        burn: Burn::Allowed,
    },
];

/// The problems of one `Cargo.toml`; only those of the crates are looked at.
///
/// # Errors
/// A file that is not TOML.
pub(super) fn check(path: &Path, text: &str) -> Result<Vec<Problem>> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let ["crates", folder, "Cargo.toml"] = parts.as_slice() else {
        return Ok(Vec::new());
    };
    let manifest: Table = text
        .parse()
        .with_context(|| format!("{} is not TOML", path.display()))?;
    let mut problems = Vec::new();
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(Value::as_str);
    if name != Some(&format!("llm-{folder}")) {
        problems.push(Problem::new(
            path,
            format!("the package of crates/{folder} is called llm-{folder}"),
        ));
    }
    let Some(rule) = RULES.iter().find(|rule| rule.folder == *folder) else {
        problems.push(Problem::new(
            path,
            "is a new crate: give it a row in xtask/src/tidy/dependencies.rs",
        ));
        return Ok(problems);
    };
    for dependency in dependencies(&manifest) {
        let ours = dependency.strip_prefix("llm-");
        let burn = dependency == "burn" || dependency.starts_with("burn-");
        if ours.is_some_and(|ours| !rule.ours.contains(&ours))
            || (burn && rule.burn == Burn::Forbidden)
        {
            problems.push(Problem::new(
                path,
                format!("llm-{folder} must not depend on {dependency}"),
            ));
        }
    }
    Ok(problems)
}

/// The names of all packages that `manifest` depends on, in whatever table.
fn dependencies(manifest: &Table) -> Vec<&str> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let targets = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values);
    std::iter::once(manifest)
        .chain(targets.filter_map(Value::as_table))
        .flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()))
        .flatten()
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_messages(folder: &str, rest: &str, expected: &[&str]) {
        let text = format!("[package]\nname = \"llm-{folder}\"\n{rest}");
        let path = Path::new("crates").join(folder).join("Cargo.toml");
        let found: Vec<String> = check(&path, &text)
            .unwrap()
            .into_iter()
            .map(|problem| problem.message)
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn allowed_directions_pass() {
        check_messages(
            "models",
            "[dependencies]\nllm-core.workspace = true\nburn = \"1\"\n",
            &[],
        );
        check_messages(
            "data",
            "[dependencies]\nllm-tokenizer = { path = \"../tokenizer\" }\n",
            &[],
        );
    }

    #[test]
    fn a_wrong_direction_is_reported() {
        check_messages(
            "core",
            "[dependencies]\nllm-models.workspace = true\n",
            &["llm-core must not depend on llm-models"],
        );
        check_messages(
            "plot",
            "[dependencies]\nllm-train.workspace = true\n",
            &["llm-plot must not depend on llm-train"],
        );
        check_messages(
            "data",
            "[dev-dependencies]\nllm-core = \"1\"\n",
            &["llm-data must not depend on llm-core"],
        );
        check_messages(
            "models",
            "[target.'cfg(unix)'.dependencies]\nother = { package = \"llm-data\", version = \"1\" }\n",
            &["llm-models must not depend on llm-data"],
        );
    }

    #[test]
    fn burn_stays_out_of_text_crates() {
        check_messages(
            "tokenizer",
            "[dependencies]\nburn-flex = \"1\"\n",
            &["llm-tokenizer must not depend on burn-flex"],
        );
        check_messages(
            "data",
            "[build-dependencies]\nburn = \"1\"\n",
            &["llm-data must not depend on burn"],
        );
    }

    #[test]
    fn a_new_crate_needs_a_rule_and_the_prefix() {
        check_messages(
            "other",
            "",
            &["is a new crate: give it a row in xtask/src/tidy/dependencies.rs"],
        );
        let path = Path::new("crates/core/Cargo.toml");
        assert_eq!(
            check(path, "[package]\nname = \"core\"\n").unwrap().len(),
            1
        );
        assert_eq!(
            check(Path::new("Cargo.toml"), "[package]\nname = \"x\"\n").unwrap(),
            []
        );
    }
}
