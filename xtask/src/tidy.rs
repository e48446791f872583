//! `cargo xtask tidy`: checks what a reviewer forgets.
//!
//! Each check is a function from names and texts to problems; this file reads the files and prints what they find.

mod dependencies;
mod links;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

use crate::workspace::Workspace;

/// Something to change, and where.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    path: PathBuf,
    line: Option<usize>,
    message: String,
}

impl Problem {
    fn new(path: &Path, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
        }
    }

    fn at(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::new(path, message)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Runs every check.
///
/// # Errors
/// Lists all problems, one a line.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let files = files(workspace)?;
    let mut problems = Vec::new();
    for path in &files {
        let text = || {
            let whole = workspace.root.join(path);
            std::fs::read_to_string(&whole)
                .with_context(|| format!("cannot read {}", whole.display()))
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => problems.extend(sources::check(path, &text()?)),
            Some("md") => problems.extend(links::check(path, &text()?, &workspace.root)),
            Some("toml") if path.ends_with("Cargo.toml") => {
                problems.extend(dependencies::check(path, &text()?)?)
            }
            _ => {}
        }
    }
    problems.extend(sources::check_test_programs(&files));
    problems.extend(check_changelog(
        std::fs::read_to_string(workspace.root.join("CHANGELOG.md"))
            .ok()
            .as_deref(),
    ));
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        bail!("{} to tidy:\n{}", problems.len(), lines.join("\n"));
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// All files of the project, relative to the root, in order; without what is built, downloaded or hidden.
fn files(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let outside = ["target", "runs", "node_modules"];
    let walk = WalkDir::new(&workspace.root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            entry.depth() == 0
                || !(name.starts_with('.')
                    || outside.contains(&name.as_ref())
                    || entry.path() == workspace.target)
        });
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.context("cannot walk through the workspace")?;
        if entry.file_type().is_file() {
            files.push(entry.path().strip_prefix(&workspace.root)?.to_owned());
        }
    }
    Ok(files)
}

fn check_changelog(text: Option<&str>) -> Option<Problem> {
    let path = Path::new("CHANGELOG.md");
    match text {
        None => Some(Problem::new(path, "is missing")),
        Some(text)
            if text
                .lines()
                .any(|line| line.starts_with('#') && line.contains("Unreleased")) =>
        {
            None
        }
        Some(_) => Some(Problem::new(path, "has no part headed Unreleased")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_has_an_unreleased_part() {
        assert_eq!(
            check_changelog(Some("# Changes\n\n## [Unreleased]\n")),
            None
        );
        assert!(check_changelog(Some("# Changes\nUnreleased\n")).is_some());
        assert!(check_changelog(None).is_some());
    }

    #[test]
    fn a_problem_names_file_and_line() {
        assert_eq!(
            Problem::at(Path::new("a/b.rs"), 3, "is wrong").to_string(),
            "a/b.rs:3: is wrong"
        );
        assert_eq!(
            Problem::new(Path::new("a/b.rs"), "is wrong").to_string(),
            "a/b.rs: is wrong"
        );
    }
}
