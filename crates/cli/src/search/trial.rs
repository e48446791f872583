//! One trial: `llm train` in a process of its own, followed by the records that it writes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use llm_models::Architecture;
use llm_train::{Record, Split};

use crate::config::Layers;

/// Between two looks at a run.
const POLL: Duration = Duration::from_millis(20);

/// How a run is to go on, after a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As before.
    GoOn,
    /// It shall end.
    Stop,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself, with a model.
    Trained,
    /// Stopped by a [`Verdict`].
    Stopped,
    /// With an error, which says why.
    Failed(String),
}

/// A run that has begun.
pub(super) struct TrialRun {
    child: Child,
    metrics: Metrics,
    /// What it has recorded.
    pub(super) records: Vec<Record>,
}

impl TrialRun {
    /// Starts `llm train` with these arguments, which write to `folder`.
    ///
    /// # Errors
    /// The program can't be started.
    pub(super) fn start(arguments: &[String], folder: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let child = Command::new(program)
            .args(arguments)
            // Its end is how the run sees that this process is gone.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a trial")?;
        Ok(Self {
            child,
            metrics: Metrics::new(folder),
            records: Vec::new(),
        })
    }

    /// Waits for the end; `on_loss` hears of each evaluation, and `look` is asked every few milliseconds.
    ///
    /// # Errors
    /// Those of `on_loss`; the run is stopped then.
    pub(super) fn follow(
        &mut self,
        mut on_loss: impl FnMut(u64, f64) -> anyhow::Result<Verdict>,
        look: impl Fn() -> Verdict,
    ) -> anyhow::Result<Ended> {
        loop {
            let status = self.child.try_wait().context("cannot wait for a trial")?;
            for record in self.metrics.next()? {
                let is_evaluation = record.split == Split::Validation;
                let (step, loss) = (record.step, record.loss);
                self.records.push(record);
                // What has ended can no longer be stopped.
                if is_evaluation && on_loss(step, loss)? == Verdict::Stop && status.is_none() {
                    self.stop();
                    return Ok(Ended::Stopped);
                }
            }
            if let Some(status) = status {
                return Ok(if status.success() {
                    Ended::Trained
                } else {
                    Ended::Failed(self.complaint(status))
                });
            }
            if look() == Verdict::Stop {
                self.stop();
                return Ok(Ended::Stopped);
            }
            thread::sleep(POLL);
        }
    }

    /// The last line that the run said.
    fn complaint(&mut self, status: std::process::ExitStatus) -> String {
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            // What can't be read is told by the status.
            let _ = stderr.read_to_string(&mut said);
        }
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        match last {
            Some(line) => line.strip_prefix("error: ").unwrap_or(line).to_owned(),
            None => format!("the run ended with {status}"),
        }
    }

    fn stop(&mut self) {
        // It may have ended in between.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for TrialRun {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Reads a `metrics.jsonl` as it grows.
struct Metrics {
    path: std::path::PathBuf,
    read: u64,
}

impl Metrics {
    fn new(folder: &Path) -> Self {
        Self {
            path: folder.join("metrics.jsonl"),
            read: 0,
        }
    }

    /// The records of the whole lines that have come since; none while there is no file.
    fn next(&mut self) -> anyhow::Result<Vec<Record>> {
        let Ok(mut file) = File::open(&self.path) else {
            return Ok(Vec::new());
        };
        let mut new = Vec::new();
        file.seek(SeekFrom::Start(self.read))
            .and_then(|_| file.read_to_end(&mut new))
            .with_context(|| format!("{}: cannot read", self.path.display()))?;
        let whole = new
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        self.read += whole as u64;
        // A loss that is not finite is no number in JSON; the run itself ends with an error then.
        let lines = new[..whole].split(|byte| *byte == b'\n');
        Ok(lines
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect())
    }
}

/// Parameters of the model that the configuration of a run, resolved, makes.
pub(super) fn parameters(folder: &Path) -> anyhow::Result<usize> {
    let config = Layers::new().file(&folder.join("config.toml"))?.resolve()?;
    let vocab_size = config.model.vocab_size;
    let vocab_size = vocab_size.ok_or_else(|| anyhow!("the run has not noted its vocabulary"))?;
    Ok(Architecture::resolve(&config.model, vocab_size)?.parameter_count())
}
