//! The files that README.md tells its reader to download, from the folder of shared data: the beginning of each, enough for a dry run.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;

/// How README's names begin, and where the files lie in the shared data.
const WIKITEXT: &str = "wiki.";
const FILES: [(&str, &str, u64); 3] = [
    (
        "wiki.train.tokens",
        "corpora/wikitext2/wiki.train.tokens.pages-shuffled.gz",
        2_000_000,
    ),
    (
        "wiki.valid.tokens",
        "corpora/wikitext2/wiki.valid.tokens.gz",
        50_000,
    ),
    (
        "wiki.test.tokens",
        "corpora/wikitext2/wiki.test.tokens.gz",
        50_000,
    ),
];

/// Whether a command names such a file.
pub(super) fn are_named_in(command: &str) -> bool {
    command
        .split([' ', '"', '\'', '['])
        .any(|word| word.starts_with(WIKITEXT))
}

/// Writes the beginnings into `folder`; false where there is no shared data.
///
/// # Errors
/// On CI the shared data must be there.
pub(super) fn write(folder: &Path) -> Result<bool> {
    let Some(shared) = std::env::var_os("LLM_DATA_DIR") else {
        if std::env::var_os("CI").is_some() {
            bail!("README.md's commands on WikiText-2 need LLM_DATA_DIR");
        }
        return Ok(false);
    };
    for (name, path, bytes) in FILES {
        let path = Path::new(&shared).join(path);
        let mut text = Vec::new();
        File::open(&path)
            .and_then(|file| GzDecoder::new(file).take(bytes).read_to_end(&mut text))
            .with_context(|| format!("cannot read {}", path.display()))?;
        // The last line may be cut, a character must not be.
        let end = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        File::create(folder.join(name))
            .and_then(|mut file| file.write_all(&text[..end]))
            .with_context(|| format!("cannot write {name}"))?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_need_a_download_are_told() {
        assert!(are_named_in(
            "llm train --data wiki.train.tokens --set 'data.validation_sources=[\"wiki.valid.tokens\"]'"
        ));
        assert!(!are_named_in("llm train --config configs/wikitext2.toml"));
    }
}
