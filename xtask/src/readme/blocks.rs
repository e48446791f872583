//! The shell blocks of README.md, as steps to run.
//!
//! Every shell block says in its info string how it is checked:
//! - `sh quick`: each line is run as it stands;
//! - `sh long`: each line is run, training only for two steps;
//! - `sh skip`: not run (it needs a network, a graphics card, another program).
//!
//! Each line is run by a shell of its own, in the folder that all lines share.

use anyhow::{Context, Result, bail};

/// What shortens a training run of a `sh long` block; a warm-up longer than the run would be refused.
const DRY_RUN: &str = " --set train.max_steps=2 --set schedule.warmup_steps=";

/// One command of README.md, with the line it begins on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A command for the shell.
    Run { line: usize, command: String },
    /// A command whose work is done elsewhere: the build before the first step, the tests of `cargo xtask ci`.
    Skip { line: usize, command: String },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Quick,
    Long,
    Skip,
}

/// The steps of all shell blocks of `text`, in order.
///
/// # Errors
/// A shell block that does not say how it is checked, one that is not closed, or a line that cannot be run apart.
pub(super) fn steps(text: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((opening, start)) = lines.next() {
        let Some((fence, info)) = fence(opening) else {
            continue;
        };
        let mode = mode(info).with_context(|| format!("README.md:{start}"))?;
        let mut closed = false;
        let mut begun: Option<(usize, String)> = None;
        for (text, line) in lines.by_ref() {
            if text.trim().starts_with(fence) && text.trim().chars().all(|c| fence.starts_with(c)) {
                closed = true;
                break;
            }
            let (first, mut command) = begun.take().unwrap_or((line, String::new()));
            command += text.trim();
            if let Some(continued) = command.strip_suffix('\\') {
                begun = Some((first, continued.to_owned()));
            } else if let Some(mode) = mode.filter(|mode| *mode != Mode::Skip)
                && !command.is_empty()
                && !command.starts_with('#')
            {
                steps.push(step(first, &command, mode)?);
            }
        }
        if !closed || begun.is_some() {
            bail!("README.md:{start}: this block, or its last command, has no end");
        }
    }
    Ok(steps)
}

/// The fence and the info string, if `line` opens a fenced block.
fn fence(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = line.chars().take_while(|c| *c == mark).count();
    (length >= 3).then(|| (&line[..length], line[length..].trim()))
}

/// `None` for a block that is not for a shell.
fn mode(info: &str) -> Result<Option<Mode>> {
    let mut words = info.split_whitespace();
    if !matches!(
        words.next(),
        Some("sh" | "bash" | "zsh" | "shell" | "console")
    ) {
        return Ok(None);
    }
    match words.next() {
        Some("quick") => Ok(Some(Mode::Quick)),
        Some("long") => Ok(Some(Mode::Long)),
        Some("skip") => Ok(Some(Mode::Skip)),
        _ => bail!(
            "`{info}` does not say how the block is checked: write `sh quick`, `sh long` or `sh skip`"
        ),
    }
}

fn step(line: usize, command: &str, mode: Mode) -> Result<Step> {
    let command = match command.strip_prefix("cargo run --release -- ") {
        Some(arguments) => format!("llm {arguments}"),
        None => command.to_owned(),
    };
    if ["cargo build --release", "cargo test --release"]
        .iter()
        .any(|done| command.starts_with(done))
    {
        return Ok(Step::Skip { line, command });
    }
    if let Some(word) = ["cargo ", "cd ", "export "]
        .iter()
        .find(|word| command.starts_with(**word))
    {
        bail!(
            "README.md:{line}: a line that begins with `{word}` cannot be run apart; put it in a `sh skip` block"
        );
    }
    let command = if mode == Mode::Long {
        shortened(&command)
    } else {
        command
    };
    Ok(Step::Run { line, command })
}

/// Appends [`DRY_RUN`] to `llm train …`, before a pipe, a redirection, another command or a comment.
fn shortened(command: &str) -> String {
    let program = command
        .split_whitespace()
        .find(|word| !word.contains('='))
        .unwrap_or_default();
    let train = command
        .split_once("llm ")
        .is_some_and(|(_, rest)| rest.trim_start().starts_with("train"));
    if program != "llm" || !train {
        return command.to_owned();
    }
    let mut quote = None;
    let mut end = command.len();
    let mut before = ' ';
    for (index, c) in command.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if matches!(c, '|' | '>' | '&' | ';') || (c == '#' && before == ' ') => {
                end = index;
                break;
            }
            None => {}
        }
        before = c;
    }
    let (train, rest) = command.split_at(end);
    let redirects_a_number = rest.starts_with('>') && train.ends_with(|c: char| c.is_ascii_digit());
    let (train, number) = if redirects_a_number {
        train.split_at(train.len() - 1)
    } else {
        (train, "")
    };
    let space = if rest.is_empty() { "" } else { " " };
    format!("{}{DRY_RUN}{space}{number}{rest}", train.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let shown: Vec<String> = steps(text)
            .unwrap()
            .into_iter()
            .map(|step| match step {
                Step::Run { line, command } => format!("{line} run {command}"),
                Step::Skip { line, command } => format!("{line} skip {command}"),
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn each_line_of_a_quick_block_is_a_command() {
        let text = "# llm\n```sh quick\n# a comment\nllm plan\n\nllm train \\\n  --set a.b=1\n```\nllm nothing\n";
        check(text, &["4 run llm plan", "6 run llm train --set a.b=1"]);
    }

    #[test]
    fn the_blocks_of_a_list_are_found() {
        check(
            "1. First:\n   ```sh quick\n   llm plan\n   ```\n",
            &["3 run llm plan"],
        );
    }

    #[test]
    fn other_languages_and_skipped_blocks_are_not_run() {
        check(
            "```toml\n[train]\n```\n```\nplain\n```\n~~~~sh skip\ncurl x\n```\n~~~~\n",
            &[],
        );
    }

    #[test]
    fn cargo_lines_become_llm_or_are_left_out() {
        let text = "```sh quick\ncargo build --release\ncargo run --release -- plan x\ncargo test --release --workspace\n```\n";
        check(
            text,
            &[
                "2 skip cargo build --release",
                "3 run llm plan x",
                "4 skip cargo test --release --workspace",
            ],
        );
    }

    #[test]
    fn training_in_a_long_block_is_two_steps() {
        let text = "```sh long\nllm train --config a.toml\nllm generate x\nllm train 'a | b' | tail -1 # why\n\
            A=1 llm train 2>log\nllm tokenizer train x\n```\n";
        check(
            text,
            &[
                "2 run llm train --config a.toml --set train.max_steps=2 --set schedule.warmup_steps=",
                "3 run llm generate x",
                "4 run llm train 'a | b' --set train.max_steps=2 --set schedule.warmup_steps= | tail -1 # why",
                "5 run A=1 llm train --set train.max_steps=2 --set schedule.warmup_steps= 2>log",
                "6 run llm tokenizer train x",
            ],
        );
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let message = format!("{:#}", steps(text).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        check_refused(
            "text\n```sh\nllm plan\n```\n",
            "README.md:2: `sh` does not say",
        );
        check_refused("```bash later\n```\n", "`bash later` does not say");
        check_refused("```sh quick\nllm plan\n", "README.md:1: this block");
        check_refused("```sh quick\nllm plan \\\n```\n", "README.md:1: this block");
        check_refused(
            "```sh quick\ncd x\n```\n",
            "README.md:2: a line that begins with `cd `",
        );
        check_refused(
            "```sh quick\ncargo bench\n```\n",
            "README.md:2: a line that begins with `cargo `",
        );
    }
}
