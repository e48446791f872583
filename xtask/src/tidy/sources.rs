//! What holds for Rust files: module docs, a bounded length, nothing left undone, one test program for each crate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Problem;

/// Lines after which a file of a crate is likely to hold a second idea.
const LONGEST: usize = 600;

/// Macros that mark unfinished work; written in halves so that this file passes its own check.
const UNFINISHED: [&str; 3] = [
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("db", "g!"),
];

/// The problems of one Rust file.
pub(super) fn check(path: &Path, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let source = is_source(path);
    if source && !text.trim_start().starts_with("//!") {
        problems.push(Problem::at(
            path,
            1,
            "does not begin with module docs (`//!`)",
        ));
    }
    let length = text.lines().count();
    if source && path.starts_with("crates") && length > LONGEST {
        problems.push(Problem::new(
            path,
            format!("has {length} lines, more than {LONGEST}; look for its second idea"),
        ));
    }
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for name in UNFINISHED {
            if line
                .match_indices(name)
                .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            {
                problems.push(Problem::at(
                    path,
                    number,
                    format!("`{name}` is left in the code"),
                ));
            }
        }
    }
    problems
}

/// At most one integration test program for each crate, `tests/it/main.rs`: each further one is linked apart.
pub(super) fn check_test_programs(files: &[PathBuf]) -> Vec<Problem> {
    let mut programs: BTreeMap<PathBuf, Vec<&Path>> = BTreeMap::new();
    for path in files {
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let (krate, file) = match parts.as_slice() {
            ["crates", name, "tests", rest @ ..] => (Path::new("crates").join(name), rest),
            ["xtask", "tests", rest @ ..] => (PathBuf::from("xtask"), rest),
            _ => continue,
        };
        if matches!(file, [name] if name.ends_with(".rs")) || matches!(file, [_, "main.rs"]) {
            programs.entry(krate).or_default().push(path);
        }
    }
    let extra = |(krate, paths): (&PathBuf, &Vec<&Path>)| {
        let wanted = krate.join("tests/it/main.rs");
        let others = paths.iter().filter(|path| ***path != wanted);
        let problem = |path: &&Path| {
            Problem::new(
                path,
                format!(
                    "is a test program of its own; move it below {}",
                    wanted.display()
                ),
            )
        };
        others.map(problem).collect::<Vec<_>>()
    };
    programs.iter().flat_map(extra).collect()
}

/// Whether `path` lies in the `src` folder of a crate or of `xtask`.
fn is_source(path: &Path) -> bool {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    matches!(
        parts.as_slice(),
        ["crates", _, "src", ..] | ["xtask", "src", ..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_messages(path: &str, text: &str, expected: &[&str]) {
        let found: Vec<String> = check(Path::new(path), text)
            .iter()
            .map(Problem::to_string)
            .collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (message, part) in found.iter().zip(expected) {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_source_begins_with_module_docs() {
        check_messages("crates/core/src/a.rs", "\n//! Docs.\nuse b;\n", &[]);
        check_messages(
            "crates/core/src/a.rs",
            "// Not docs.\n//! Docs.\n",
            &["a.rs:1: does not begin with"],
        );
        check_messages("xtask/src/a/b.rs", "", &["b.rs:1: does not begin with"]);
        check_messages("crates/core/tests/it/a.rs", "use b;\n", &[]);
    }

    #[test]
    fn a_long_source_is_reported() {
        let text = format!("//! Docs.\n{}", "let x = 1;\n".repeat(LONGEST));
        check_messages("crates/core/src/a.rs", &text, &["has 601 lines"]);
        check_messages("crates/core/tests/it/a.rs", &text, &[]);
    }

    #[test]
    fn unfinished_code_is_reported() {
        for name in UNFINISHED {
            let text =
                format!("fn a() {{\n    {name}(x);\n    my_{name}(x);\n    // {name}(x)\n}}\n");
            check_messages("crates/core/benches/a.rs", &text, &["a.rs:2: `"]);
        }
    }

    #[test]
    fn a_crate_has_one_test_program() {
        let files = |names: &[&str]| -> Vec<PathBuf> { names.iter().map(PathBuf::from).collect() };
        let good = [
            "crates/a/tests/it/main.rs",
            "crates/a/tests/it/b.rs",
            "crates/a/tests/golden/c.json",
            "crates/a/src/main.rs",
        ];
        assert_eq!(check_test_programs(&files(&good)), []);
        let bad = [
            "crates/a/tests/it/main.rs",
            "crates/a/tests/b.rs",
            "crates/c/tests/d/main.rs",
        ];
        let found: Vec<PathBuf> = check_test_programs(&files(&bad))
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        assert_eq!(
            found,
            files(&["crates/a/tests/b.rs", "crates/c/tests/d/main.rs"])
        );
    }
}
