//! Relative links in Markdown files lead to a file of the project.

use std::path::Path;

use super::Problem;

/// The links of `text` that lead nowhere; `path` is relative to `root`.
pub(super) fn check(path: &Path, text: &str, root: &Path) -> Vec<Problem> {
    let folder = path.parent().unwrap_or(Path::new(""));
    links(text)
        .into_iter()
        .filter(|(_, target)| {
            let outside =
                target.contains("://") || target.starts_with("mailto:") || target.starts_with('#');
            let file = target.split(['#', '?']).next().unwrap_or(target);
            let base = if file.starts_with('/') {
                Path::new("")
            } else {
                folder
            };
            !outside && !root.join(base).join(file.trim_start_matches('/')).exists()
        })
        .map(|(line, target)| {
            Problem::at(path, line, format!("the link to {target} leads nowhere"))
        })
        .collect()
}

/// Line and target of every link and link definition outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut fence: Option<&str> = None;
    for (line, number) in text.lines().zip(1..) {
        let start = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                links.extend(
                    inline_targets(line)
                        .into_iter()
                        .map(|target| (number, target)),
                );
                links.extend(definition(start).map(|target| (number, target)));
            }
            _ => {}
        }
    }
    links
}

/// The targets of `[text](target)` and `![text](target "title")` in one line.
fn inline_targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut code = false;
    for (at, c) in line.char_indices() {
        if c == '`' {
            code = !code;
        } else if !code
            && let Some(inside) = line[at..].strip_prefix("](")
            && let Some((target, _)) = inside.split_once(')')
        {
            targets.push(bare(target));
        }
    }
    targets
}

/// The target of a line such as `[name]: target`.
fn definition(line: &str) -> Option<&str> {
    let (_, target) = line.strip_prefix('[')?.split_once("]: ")?;
    Some(bare(target))
}

fn bare(target: &str) -> &str {
    let target = target.split_whitespace().next().unwrap_or("");
    target.trim_start_matches('<').trim_end_matches('>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text = "[a](b.md) and ![c](d.png \"title\")\n`[no](x.md)` [e](<f.md>)\n```sh\n[no](y.md)\n```\n[g]: h.md\n";
        assert_eq!(
            links(text),
            [(1, "b.md"), (1, "d.png"), (2, "f.md"), (6, "h.md")]
        );
    }

    #[test]
    fn only_relative_links_to_missing_files_are_reported() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = "[a](tidy.rs#part) [b](https://example.org/x) [c](#part) [d](mailto:x@example.org)\n\
            [e](../Cargo.toml) [f](/Cargo.toml)\n[g](missing.md)\n";
        let found: Vec<String> = check(Path::new("src/x.md"), text, root)
            .iter()
            .map(Problem::to_string)
            .collect();
        assert_eq!(found, ["src/x.md:3: the link to missing.md leads nowhere"]);
    }
}
