//! Puts the layers of a configuration together and finds out which of them is to blame for a fault.

use std::path::Path;

use anyhow::anyhow;
use figment::error::Kind;
use figment::value::{Dict, Value};

use super::assignment::Assignment;
use super::explain::explain;
use super::file::ConfigFile;
use super::{Config, tree};
use crate::failure::usage;

/// Defaults < file < `--set` < flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    file: Option<ConfigFile>,
    arguments: Vec<Assignment>,
}

impl Layers {
    /// Layers on the defaults of the tables alone.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a configuration file.
    ///
    /// # Errors
    /// The file can't be read or parsed.
    pub(crate) fn file(mut self, path: &Path) -> anyhow::Result<Self> {
        self.file = Some(ConfigFile::read(path)?);
        Ok(self)
    }

    /// Layers on a file that has been read.
    pub(crate) fn on(file: ConfigFile) -> Self {
        Self {
            file: Some(file),
            arguments: Vec::new(),
        }
    }

    /// Adds a TOML file that is part of the program.
    ///
    /// # Errors
    /// The file can't be parsed.
    pub(crate) fn built_in(mut self, name: &str, text: &str) -> anyhow::Result<Self> {
        self.file = Some(ConfigFile::parse(name.to_owned(), text, "toml")?);
        Ok(self)
    }

    /// Adds the arguments of `--set`, later ones over earlier ones.
    ///
    /// # Errors
    /// An argument is not `KEY=VALUE`.
    pub(crate) fn set(mut self, arguments: &[String]) -> anyhow::Result<Self> {
        for argument in arguments {
            self = self.assign("--set", argument)?;
        }
        Ok(self)
    }

    /// Adds one `KEY=VALUE`, which `origin` was given.
    ///
    /// # Errors
    /// It is not `KEY=VALUE`.
    pub(crate) fn assign(mut self, origin: &str, argument: &str) -> anyhow::Result<Self> {
        self.arguments.push(Assignment::parse(origin, argument)?);
        Ok(self)
    }

    /// Adds the value of a flag that was given.
    pub(crate) fn flag(mut self, flag: &str, key: &str, value: Option<impl Into<Value>>) -> Self {
        self.arguments
            .extend(value.map(|value| Assignment::flag(flag, key, value.into())));
        self
    }

    /// The configuration that comes out.
    ///
    /// # Errors
    /// A fault in the file ends with exit code 1, one in an argument with 2; both name where it was written, the key and what is allowed.
    pub(crate) fn resolve(self) -> anyhow::Result<Config> {
        let empty = ConfigFile::default();
        let file = self.file.as_ref().unwrap_or(&empty);
        let alone = tree::decode(&file.values).map_err(|error| {
            anyhow!("{}: {}", file.place(&error.path.join(".")), explain(&error))
        })?;

        let config = decode_with(&file.values, self.arguments.clone())?;
        if let Err(fault) = config.check() {
            let place = |fault: &super::Fault| file.place(fault.key.as_deref().unwrap_or_default());
            let culprit = fault
                .key
                .as_deref()
                .and_then(|key| blamed(&self.arguments, key));
            return Err(match (culprit, alone.check()) {
                (Some(argument), _) => {
                    usage(format_args!("{}: {}", argument.origin, fault.message))
                }
                (None, Ok(())) => {
                    let set = fault
                        .key
                        .as_deref()
                        .filter(|key| tree::has(&file.values, key));
                    let way_out = set.map(|key| {
                        let place = file.place(key);
                        format!("; {place} sets it, `--set {key}=` takes it out")
                    });
                    let way_out = way_out.unwrap_or_default();
                    usage(format_args!("arguments: {}{way_out}", fault.message))
                }
                (None, Err(_)) => anyhow!("{}: {}", place(&fault), fault.message),
            });
        }
        // What cannot be written down could not be reproduced.
        config
            .to_toml()
            .map_err(|error| usage(format_args!("arguments: {error}")))?;
        Ok(config)
    }
}

/// Applies the arguments to `base`. A value that TOML reads as a number, but whose key wants a text, is taken as a text.
fn decode_with(base: &Dict, mut arguments: Vec<Assignment>) -> anyhow::Result<Config> {
    if let Some(error) = arguments.iter().find_map(unknown_reset) {
        return Err(error);
    }
    let mut complaint = (String::new(), String::new());
    loop {
        let mut values = base.clone();
        for argument in &arguments {
            match &argument.value {
                Some(value) => tree::merge(&mut values, tree::branch(&argument.key, value.clone())),
                None => tree::remove(&mut values, &argument.key),
            }
        }
        let error = match tree::decode(&values) {
            Ok(config) => return Ok(config),
            Err(error) => error,
        };
        let key = error.path.join(".");
        let origin = blamed(&arguments, &key).map_or("arguments", |argument| &argument.origin);
        // When it fails as a text too, the complaint about the value as written is the better one.
        if complaint.0 != key {
            complaint = (key.clone(), format!("{origin}: {}", explain(&error)));
        }

        let as_text = arguments.iter_mut().rfind(|argument| argument.key == key);
        let as_text =
            as_text.and_then(|argument| Some((argument.text.take()?, &mut argument.value)));
        match (&error.kind, as_text) {
            (Kind::InvalidType(..), Some((text, value))) => *value = Some(Value::from(text)),
            _ => return Err(usage(complaint.1)),
        }
    }
}

/// The complaint about an argument that resets a key which does not exist.
fn unknown_reset(argument: &Assignment) -> Option<anyhow::Error> {
    if argument.value.is_some() {
        return None;
    }
    let error = tree::decode(&tree::branch(&argument.key, Value::from(true))).err()?;
    matches!(error.kind, Kind::UnknownField(..))
        .then(|| usage(format_args!("{}: {}", argument.origin, explain(&error))))
}

/// The last argument that an error at `key` can come from.
fn blamed<'a>(arguments: &'a [Assignment], key: &str) -> Option<&'a Assignment> {
    arguments.iter().rfind(|argument| argument.concerns(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::exit_code;

    fn layers(file: &str, set: &[&str]) -> anyhow::Result<Layers> {
        let set: Vec<_> = set.iter().map(|s| (*s).to_owned()).collect();
        Layers::new().built_in("f.toml", file)?.set(&set)
    }

    fn resolve(file: &str, set: &[&str]) -> anyhow::Result<Config> {
        layers(file, set)?.resolve()
    }

    #[test]
    fn later_layers_win() {
        let file = "[train]\nmax_steps = 500\nseed = 1\nkeep = 3";
        let config = layers(file, &["train.seed=2", "train.keep=4", "train.seed=3"]).unwrap();
        let config = config.flag("--keep", "train.keep", Some(5u64)).flag(
            "--seed",
            "train.seed",
            None::<u64>,
        );
        let train = config.resolve().unwrap().train;
        assert_eq!(
            (train.max_steps, train.seed, train.keep, train.log_every),
            (500, 3, 5, 10)
        );
    }

    #[test]
    fn an_empty_value_is_the_default() {
        let config = resolve(
            "[train]\nmax_minutes = 3\nmax_steps = 900",
            &["train.max_minutes=", "train.max_steps="],
        );
        let train = config.unwrap().train;
        assert_eq!(
            (train.max_minutes, train.max_steps),
            (None, Config::default().train.max_steps)
        );
    }

    #[test]
    fn what_a_file_sets_and_an_argument_forbids_can_be_taken_out() {
        let file = "[optimizer]\nkind = \"muon\"\nmuon_learning_rate = 0.1";
        let error = resolve(file, &["optimizer.kind=adamw"]).unwrap_err();
        assert_eq!(exit_code(&error), 2);
        let line = error.to_string();
        let way_out = "f.toml:3 sets it, `--set optimizer.muon_learning_rate=` takes it out";
        assert!(line.contains(way_out), "{line}");
        let set = ["optimizer.kind=adamw", "optimizer.muon_learning_rate="];
        assert!(resolve(file, &set).is_ok());
    }

    #[test]
    fn a_text_may_look_like_a_number() {
        let config = resolve(
            "",
            &[
                "train.sample_prompt=42",
                "tokenizer.kind=file",
                "tokenizer.path=7",
            ],
        )
        .unwrap();
        assert_eq!(config.train.sample_prompt, "42");
        assert_eq!(config.tokenizer.path.as_deref(), Some(Path::new("7")));
    }

    #[test]
    fn the_layer_at_fault_is_named_and_decides_the_exit_code() {
        #[track_caller]
        fn check(file: &str, set: &[&str], code: u8, line: &str) {
            let error = resolve(file, set).expect_err("a fault");
            assert_eq!(
                (error.to_string().as_str(), exit_code(&error)),
                (line, code)
            );
        }
        check(
            "[train]\nsed = 1",
            &[],
            1,
            "f.toml:2: unknown key `train.sed`, did you mean `train.seed`?",
        );
        check(
            "[train]\nsed = 1",
            &["x=1"],
            1,
            "f.toml:2: unknown key `train.sed`, did you mean `train.seed`?",
        );
        check(
            "",
            &["train.sed=1"],
            2,
            "--set train.sed=1: unknown key `train.sed`, did you mean `train.seed`?",
        );
        check(
            "",
            &["train.sed="],
            2,
            "--set train.sed=: unknown key `train.sed`, did you mean `train.seed`?",
        );
        check(
            "",
            &["train.seed=x"],
            2,
            "--set train.seed=x: train.seed must be a whole number from 0, found the text \"x\"",
        );
        check(
            "",
            &["train.sample_prompt=42", "train.seed=x"],
            2,
            "--set train.seed=x: train.seed must be a whole number from 0, found the text \"x\"",
        );
        let number = "train.seed must be a whole number from 0, found 0.5";
        check(
            "[train]\nkeep=2\nseed=0.5",
            &[],
            1,
            &format!("f.toml:3: {number}"),
        );
        check(
            "",
            &["train.seed=0.5"],
            2,
            &format!("--set train.seed=0.5: {number}"),
        );
    }

    #[test]
    fn ranges_are_blamed_on_the_layer_that_broke_them() {
        #[track_caller]
        fn check(file: &str, set: &[&str], code: u8, place: &str) {
            let error = resolve(file, set).expect_err("a fault");
            assert_eq!(exit_code(&error), code, "{error}");
            assert!(
                error.to_string().starts_with(&format!("{place}: ")),
                "{error}"
            );
        }
        check("[train]\nbatch_size = 0", &[], 1, "f.toml:2");
        check("[train]\nbatch_size = 0", &["train.seed=1"], 1, "f.toml:2");
        check("", &["train.batch_size=0"], 2, "--set train.batch_size=0");
        check(
            "[schedule]\nwarmup_steps = 500",
            &["train.max_steps=200"],
            2,
            "arguments",
        );
        check("[schedule]\nwarmup_steps = 3000", &[], 1, "f.toml:2");
        check("[optimizer]\nlearning_rate = nan", &[], 1, "f.toml:2");
        assert!(resolve("[schedule]\nwarmup_steps = 3000", &["train.max_steps=4000"]).is_ok());
        assert!(resolve("", &["optimizer.muon_momentum=0.9", "optimizer.kind=muon"]).is_ok());
    }

    #[test]
    fn the_resolved_configuration_reproduces_itself() {
        let config = resolve(
            "[model]\nfamily = 'mistral'\nwindow = 32\n[optimizer]\nbetas = [0.9, 0.99]\nlearning_rate = 3e-4",
            &[
                "generate.temperature=0.7",
                "generate.stop=[\"\\n\", \"é\"]",
                "data.sources=['a.txt']",
            ],
        );
        let config = config.unwrap();
        assert_eq!(resolve(&config.to_toml().unwrap(), &[]).unwrap(), config);
        assert_eq!(
            resolve(&Config::default().to_toml().unwrap(), &[]).unwrap(),
            Config::default()
        );
    }

    #[test]
    fn the_largest_seed_is_kept() {
        let config = Layers::new()
            .flag("--seed", "train.seed", Some(u64::MAX))
            .resolve()
            .unwrap();
        assert_eq!(
            resolve(&config.to_toml().unwrap(), &[]).unwrap().train.seed,
            u64::MAX
        );
        let error = resolve("", &["train.seed=99999999999999999999"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("must be a whole number from 0"), "{error}");
    }
}
