//! `cargo xtask ci`: every check of the project, one after the other, stopping at the first that fails.
//!
//! The tests run last, and the last line printed is the sum over all test programs.

mod cpus;

use std::io::{BufRead, BufReader, Write};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::postgres::Postgres;
use crate::workspace::{Workspace, check, shown};
use crate::{readme, tidy};

/// Arguments of `cargo xtask ci`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also run the tests with checked arithmetic, on a GPU driver, on emulated processors, with Parquet and with a PostgreSQL server, and the long crash test.
    #[arg(long)]
    full: bool,
    /// Run only the tests on a GPU driver.
    #[arg(long, conflicts_with_all = ["full", "only"])]
    gpu: bool,
    /// Run only this stage; may be given several times.
    #[arg(long, value_name = "STAGE", conflicts_with = "full")]
    only: Vec<Stage>,
    /// Print the stages and what they run, and stop.
    #[arg(long)]
    list: bool,
}

/// A check, in the order of running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    Fmt,
    Clippy,
    Tidy,
    Docs,
    Backends,
    Readme,
    Debug,
    Gpu,
    Cpus,
    Parquet,
    Servers,
    Crash,
    Test,
}

/// Runs the chosen stages; `Ok` with a failure code when one fails, after its report.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let stages = chosen(args);
    if args.list {
        for stage in stages {
            println!("{:10} {}", stage.name(), stage.description());
        }
        return Ok(ExitCode::SUCCESS);
    }

    let mut times = Vec::new();
    let mut tests = None;
    let mut failure = None;
    for stage in stages {
        eprintln!("\n=== {}: {}", stage.name(), stage.description());
        let start = Instant::now();
        let done = if stage == Stage::Test {
            run_tests(workspace).and_then(|(counts, done)| {
                tests = Some(counts);
                done
            })
        } else {
            stage.run(workspace)
        };
        times.push((stage, start.elapsed(), done.is_ok()));
        if let Err(error) = done {
            eprintln!("error: {error:#}");
            failure = Some(stage);
            break;
        }
    }

    print!("{}", table(&times));
    if let Some(stage) = failure {
        println!("failed at stage {}", stage.name());
    }
    if let Some(counts) = tests.filter(|counts| counts.programs > 0) {
        println!("{}", counts.line());
    }
    Ok(if failure.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn chosen(args: &Args) -> Vec<Stage> {
    let wanted = |stage: &Stage| {
        if args.gpu {
            *stage == Stage::Gpu
        } else if !args.only.is_empty() {
            args.only.contains(stage)
        } else {
            args.full
                || !matches!(
                    stage,
                    Stage::Debug
                        | Stage::Gpu
                        | Stage::Cpus
                        | Stage::Parquet
                        | Stage::Servers
                        | Stage::Crash
                )
        }
    };
    Stage::value_variants()
        .iter()
        .copied()
        .filter(wanted)
        .collect()
}

impl Stage {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn description(self) -> &'static str {
        match self {
            Stage::Fmt => "code is formatted as `cargo fmt` does it",
            Stage::Clippy => "no compiler or clippy warning in any target",
            Stage::Tidy => "module docs, crate directions, links, file sizes",
            Stage::Docs => "documentation builds without a warning",
            Stage::Backends => {
                "the GPU backends, the reference backend, downloads and Parquet type-check"
            }
            Stage::Readme => "the commands of README.md run, its figures are the measured ones",
            Stage::Debug => "the tests, with arithmetic checked for overflow and debug assertions",
            Stage::Gpu => "GPU tests, on a graphics card or a software Vulkan driver",
            Stage::Cpus => "kernels on processors with AVX2 and without, by emulation",
            Stage::Parquet => "the tests of text, with Parquet",
            Stage::Servers => "searches that share a PostgreSQL server",
            Stage::Crash => "training survives fifty kills at random instants",
            Stage::Test => "unit, integration and documentation tests",
        }
    }

    /// Runs any stage but [`Stage::Test`], whose output is read too: see [`run_tests`].
    fn run(self, workspace: &Workspace) -> Result<()> {
        match self {
            Stage::Fmt => check(&mut workspace.cargo("fmt --all --check")),
            Stage::Clippy => check(
                &mut workspace.cargo("clippy --workspace --all-targets --locked -- -D warnings"),
            ),
            Stage::Tidy => tidy::run(workspace),
            Stage::Docs => check(
                workspace
                    .cargo("doc --workspace --no-deps --locked")
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Stage::Backends => {
                check(
                    &mut workspace
                        .cargo("check -p llm-cli --features wgpu,ndarray,hub,parquet --locked"),
                )?;
                // The build scripts of the CUDA crates look for a toolkit unless they build documentation.
                check(
                    workspace
                        .cargo("check -p llm-cli --features cuda --locked")
                        .env("DOCS_RS", "1"),
                )
            }
            Stage::Readme => readme::run(workspace, &readme::Args::default()),
            Stage::Debug => check(&mut workspace.cargo("test --workspace --locked")),
            Stage::Gpu => {
                check_vulkan_driver()?;
                check(&mut workspace.cargo(
                    "test -p llm-models --release --features wgpu --locked --test it -- gpu",
                ))
            }
            Stage::Cpus => cpus::run(workspace),
            Stage::Parquet => check(
                &mut workspace.cargo("test -p llm-data --release --features parquet --locked"),
            ),
            Stage::Servers => {
                let server = Postgres::start()?;
                // Its name is in that of every test that needs one.
                check(
                    workspace
                        .cargo("test --workspace --release --locked -- postgresql")
                        .env("LLM_POSTGRES_URL", server.url()),
                )
            }
            Stage::Crash => check(
                workspace
                    .cargo("test -p llm-cli --release --locked --test it crash")
                    .env("LLM_CRASH_KILLS", "50"),
            ),
            Stage::Test => run_tests(workspace)?.1,
        }
    }
}

/// Folders in which the Vulkan loader looks for drivers.
const VULKAN_DRIVERS: [&str; 4] = [
    "/usr/share/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/etc/vulkan/icd.d",
    "/usr/local/etc/vulkan/icd.d",
];

fn check_vulkan_driver() -> Result<()> {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]
        .iter()
        .any(|key| std::env::var_os(key).is_some());
    let installed = VULKAN_DRIVERS
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten())
        .any(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "json")
        });
    if cfg!(target_os = "linux") && !named && !installed {
        bail!(
            "no Vulkan driver found; on Debian and Ubuntu, install mesa-vulkan-drivers for a software one"
        );
    }
    Ok(())
}

/// Runs all tests: streams their output, and counts what the test programs report.
fn run_tests(workspace: &Workspace) -> Result<(Counts, Result<()>)> {
    // One failing program must not hide the others. The profile is that of the program: all libraries are built once.
    let mut command = workspace.cargo("test --workspace --release --locked --no-fail-fast");
    let line = shown(&command);
    eprintln!("$ {line}");
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        let mut terminal = std::io::stdout().lock();
        for bytes in BufReader::new(stdout).split(b'\n') {
            let bytes = bytes.context("cannot read the output of the tests")?;
            counts.add(&String::from_utf8_lossy(&bytes));
            terminal.write_all(&bytes)?;
            terminal.write_all(b"\n")?;
            terminal.flush()?;
        }
    }
    let status = child.wait()?;
    let done = if status.success() {
        Ok(())
    } else {
        Err(anyhow::anyhow!("`{line}` failed ({status})"))
    };
    Ok((counts, done))
}

/// What all test programs together reported.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    programs: u64,
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    /// Adds the numbers of a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`; ignores all others.
    fn add(&mut self, line: &str) {
        let Some(report) = line.strip_prefix("test result: ") else {
            return;
        };
        self.programs += 1;
        let report = report
            .split_once(". ")
            .map_or(report, |(_, numbers)| numbers);
        for part in report.split("; ") {
            let Some((number, word)) = part.split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    fn line(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

fn table(times: &[(Stage, Duration, bool)]) -> String {
    let row = |name: &str, time: Duration, end: &str| {
        let seconds = time.as_secs_f64();
        let (minutes, seconds) = ((seconds / 60.0) as u64, seconds % 60.0);
        let line = format!("{name:10} {minutes:>3} min {seconds:>4.1} s  {end}");
        format!("{}\n", line.trim_end())
    };
    let mut lines = String::from("\nstage            time\n");
    for (stage, time, ok) in times {
        lines += &row(&stage.name(), *time, if *ok { "ok" } else { "FAILED" });
    }
    lines + &row("all", times.iter().map(|(_, time, _)| *time).sum(), "")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[track_caller]
    fn check_stages(words: &[&str], expected: &str) {
        let cli = Cli::try_parse_from([&["ci"], words].concat()).unwrap();
        let names: Vec<String> = chosen(&cli.args).into_iter().map(Stage::name).collect();
        assert_eq!(names.join(" "), expected);
    }

    #[test]
    fn options_choose_the_stages() {
        check_stages(&[], "fmt clippy tidy docs backends readme test");
        check_stages(
            &["--full"],
            "fmt clippy tidy docs backends readme debug gpu cpus parquet servers crash test",
        );
        check_stages(&["--gpu"], "gpu");
        check_stages(&["--only", "cpus"], "cpus");
        check_stages(&["--only", "test", "--only", "fmt"], "fmt test");
    }

    #[test]
    fn counts_are_summed_over_test_programs() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test tidy::tests::x ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s",
            "note: test result: ok. 9 passed",
        ] {
            counts.add(line);
        }
        assert_eq!(counts.programs, 2);
        assert_eq!(counts.line(), "13 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn the_table_names_the_stage_that_failed() {
        let times = [
            (Stage::Fmt, Duration::from_millis(1500), true),
            (Stage::Docs, Duration::from_secs(61), false),
        ];
        let expected = "\nstage            time\n\
            fmt          0 min  1.5 s  ok\n\
            docs         1 min  1.0 s  FAILED\n\
            all          1 min  2.5 s\n";
        assert_eq!(table(&times), expected);
    }
}
