//! Who is to blame when settings that are right each for itself do not fit together, or not this machine.

use std::path::Path;

use crate::failure::usage;

/// The layers that a user wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blame<'a> {
    /// Arguments of `--set`.
    pub(crate) set: &'a [String],
    /// `--config`.
    pub(crate) config: Option<&'a Path>,
}

impl Blame<'_> {
    /// `error` as the fault of the last argument that sets one of these keys, which ends with exit code 2, else of the file, which ends
    /// with 1. A key that ends with a dot stands for its table.
    pub(crate) fn on(&self, keys: &[&str], error: anyhow::Error) -> anyhow::Error {
        let sets = |set: &str, key: &str| {
            let rest = set.strip_prefix(key);
            rest.is_some_and(|rest| key.ends_with('.') || rest.starts_with('='))
        };
        let is_to_blame = |set: &&String| keys.iter().any(|key| sets(set, key));
        match (self.set.iter().rfind(is_to_blame), self.config) {
            (Some(set), _) => usage(format_args!("--set {set}: {error}")),
            (None, Some(path)) => error.context(path.display().to_string()),
            (None, None) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{exit_code, one_line};

    #[test]
    fn the_last_argument_is_to_blame_before_the_file() {
        #[track_caller]
        fn check(set: &[&str], config: Option<&str>, code: u8, line: &str) {
            let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
            let blame = Blame {
                set: &set,
                config: config.map(Path::new),
            };
            let error = blame.on(&["model.", "train.seq_len"], anyhow::anyhow!("too much"));
            assert_eq!((one_line(&error).as_str(), exit_code(&error)), (line, code));
        }
        let both = ["model.d_model=8", "train.seq_len=4", "train.keep=1"];
        check(&both, Some("a.toml"), 2, "--set train.seq_len=4: too much");
        check(
            &["model.n_heads=2"],
            None,
            2,
            "--set model.n_heads=2: too much",
        );
        check(
            &["train.seq_length=4"],
            Some("a.toml"),
            1,
            "a.toml: too much",
        );
        check(&[], None, 1, "too much");
    }
}
