//! Whether a run fits into the memory, asked before its first step, and what would.

use anyhow::anyhow;
use burn::prelude::Device;
use llm_core::memory::{available_bytes, resident_bytes};
use llm_data::parse_size;
use llm_models::Architecture;
use llm_train::Settings;
use llm_train::plan::{MemoryPlan, Split};

use super::Blame;
use crate::failure::usage;
use crate::quantity::bytes;

/// Bytes of the program itself: its code, threads, tokenizer and settings. Measured of a model of no size.
const PROGRAM: u64 = 24_000_000;

/// The part of its memory, one in so many, that the allocator holds and finds no use for: between buffers, and at the ends of huge pages.
/// Measured of runs of 300 to 500 MB, where it was 4 to 7 %.
const BETWEEN_BUFFERS: u64 = 16;

/// Keys that the memory of a run depends on.
const KEYS: [&str; 8] = [
    "model.",
    "tokenizer.",
    "train.batch_size",
    "train.seq_len",
    "train.grad_accumulation",
    "train.ema",
    "optimizer.kind",
    "optimizer.moments",
];

/// How much memory a run may take.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct MemoryArgs {
    /// Memory that the run may take, such as 4GB, or none to start it even if it does not fit. Default: what is free, control groups
    /// included
    #[arg(long, value_name = "SIZE", value_parser = limit)]
    max_memory: Option<Limit>,
}

/// What `--max-memory` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Bytes(u64),
    None,
}

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit::None);
    }
    match parse_size(text) {
        Ok(bytes) if bytes > 0 => Ok(Limit::Bytes(bytes)),
        _ => Err("give a size above 0, such as 4GB, or none".into()),
    }
}

/// The most memory of this process in a run.
pub(crate) fn of_process(memory: &MemoryPlan) -> u64 {
    let between = memory.peak / BETWEEN_BUFFERS;
    memory.peak.saturating_add(between).saturating_add(PROGRAM)
}

impl MemoryArgs {
    /// Bytes that this process may hold in all; `None` when there is no limit, or the system does not tell, or the model is not in the
    /// machine's memory.
    pub(crate) fn room(&self, device: &Device) -> Option<u64> {
        match self.max_memory {
            Some(Limit::None) => None,
            Some(Limit::Bytes(bytes)) => Some(bytes),
            None if device.clone().without_autodiff() != Device::flex() => None,
            // What it holds already is part of what it needs.
            None => Some(available_bytes()?.saturating_add(resident_bytes()?)),
        }
    }

    /// The flag as another run of the program takes it; nothing where it was not given.
    pub(crate) fn as_arguments(&self) -> Vec<String> {
        let value = match self.max_memory {
            Some(Limit::Bytes(bytes)) => bytes.to_string(),
            Some(Limit::None) => "none".to_owned(),
            None => return Vec::new(),
        };
        vec!["--max-memory".to_owned(), value]
    }

    /// Refuses a run that does not fit, and proposes smaller micro-batches.
    ///
    /// # Errors
    /// The fault of the flag or the argument that asks for so much, else of the configuration file.
    pub(crate) fn check(
        &self,
        architecture: &Architecture,
        settings: &Settings,
        seq: usize,
        device: &Device,
        blame: Blame<'_>,
    ) -> anyhow::Result<()> {
        let Some(message) = self.complaint(architecture, settings, seq, device) else {
            return Ok(());
        };
        let Some(split) = fitting(architecture, settings, seq, self.room(device)) else {
            let smaller = "even micro-batches of one window are too much: lower train.seq_len, or take a smaller model";
            return Err(self.fault(blame, format!("{message}; {smaller}{OVERRIDE}")));
        };
        let proposal = in_words(split);
        Err(self.fault(blame, format!("{message}; {proposal}{OVERRIDE}")))
    }

    /// [`check`](Self::check) of a run that goes on, whose micro-batches can't be changed.
    ///
    /// # Errors
    /// It does not fit.
    pub(crate) fn check_resumed(
        &self,
        architecture: &Architecture,
        settings: &Settings,
        seq: usize,
        device: &Device,
    ) -> anyhow::Result<()> {
        match self.complaint(architecture, settings, seq, device) {
            Some(message) => {
                let blame = Blame {
                    set: &[],
                    config: None,
                };
                Err(self.fault(blame, format!("{message}; free some{OVERRIDE}")))
            }
            None => Ok(()),
        }
    }

    /// What is needed and what there is, when that is less.
    fn complaint(
        &self,
        architecture: &Architecture,
        settings: &Settings,
        seq: usize,
        device: &Device,
    ) -> Option<String> {
        let room = self.room(device)?;
        let needed = of_process(&MemoryPlan::new(architecture, settings, seq));
        (needed > room).then(|| {
            let there = match self.max_memory {
                Some(_) => format!("--max-memory allows {}", bytes(room)),
                None => format!("{} are there", bytes(room)),
            };
            format!("the run needs {} of memory, but {there}", bytes(needed))
        })
    }

    fn fault(&self, blame: Blame<'_>, message: String) -> anyhow::Error {
        match self.max_memory {
            Some(_) => usage(message),
            None => blame.on(&KEYS, anyhow!(message)),
        }
    }
}

/// How a refusal ends.
const OVERRIDE: &str = "; --max-memory none starts it all the same";

/// The largest micro-batch with which the run fits.
pub(crate) fn fitting(
    architecture: &Architecture,
    settings: &Settings,
    seq: usize,
    room: Option<u64>,
) -> Option<Split> {
    MemoryPlan::fitting_split(architecture, settings, seq, |memory| {
        room.is_none_or(|room| of_process(memory) <= room)
    })
}

/// A proposal as arguments.
pub(crate) fn in_words(split: Split) -> String {
    let Split {
        batch_size,
        grad_accumulation,
    } = split;
    format!(
        "as many tokens a step fit with --set train.batch_size={batch_size} --set train.grad_accumulation={grad_accumulation}"
    )
}
