//! Checkpoints: a model folder with the optimizer's state and the trainer's place beside it, whole or absent.
//!
//! Everything is written into `checkpoints/.partial-*`, synced, and renamed to `checkpoints/step-N`. A crash at any instant leaves the
//! previous checkpoints as they were, and at most a partial folder that the next start removes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use llm_files::{ASIDE, PARTIAL, WriteError, write_folder};
use llm_models::LanguageModel;
use llm_models::checkpoint::{SpecialIds, load, save};
use safetensors::tensor::{Dtype, View};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::optimizer::State;
use crate::spikes::Spikes;

/// Optimizer state in a checkpoint.
const OPTIMIZER: &str = "optimizer.safetensors";
/// The trainer's place in a checkpoint.
const PROGRESS: &str = "trainer.json";
/// An old checkpoint on its way out.
const GONE: &str = ".partial-gone-";

/// The trainer's place in the run. Data order and dropout follow from the step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Progress {
    /// Optimizer steps done.
    pub(crate) step: u64,
    /// The best validation loss and its step.
    pub(crate) best: Option<(f64, u64)>,
    /// Evaluations in a row without a new best.
    pub(crate) evaluations_without_best: u32,
    /// The end of the schedule where `train.max_minutes` comes before `train.max_steps`.
    pub(crate) fitted: Option<Fitted>,
    /// What `train.skip_spikes` looks back upon.
    #[serde(default)]
    pub(crate) spikes: Spikes,
}

/// What a checkpoint remembers of every parameter beside its value.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// State of the optimizer.
    pub(crate) states: BTreeMap<String, State>,
    /// Moving average of the weights; empty when the run keeps none.
    pub(crate) average: BTreeMap<String, Tensor<1>>,
}

/// A run cut to its time limit. Kept, so that a resumed run follows the same schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fitted {
    /// Steps that fit.
    pub(crate) steps: u64,
    /// `train.max_steps`, which they stand for.
    pub(crate) of: u64,
}

/// Writes the files beside the model that the trainer knows nothing of: tokenizer, model card.
pub type WriteExtras<'a> = &'a dyn Fn(&Path) -> io::Result<()>;

/// The folder `checkpoints` of a run.
#[derive(Debug)]
pub(crate) struct Checkpoints<'a> {
    folder: PathBuf,
    special: SpecialIds,
    extras: Extras<'a>,
}

/// [`WriteExtras`] that can be printed.
struct Extras<'a>(WriteExtras<'a>);

impl std::fmt::Debug for Extras<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("extras")
    }
}

impl<'a> Checkpoints<'a> {
    /// Opens or makes the folder, and removes what a crash left half-written.
    pub(crate) fn open(
        run: &Path,
        special: SpecialIds,
        extras: WriteExtras<'a>,
    ) -> Result<Self, TrainError> {
        let folder = run.join("checkpoints");
        fs::create_dir_all(&folder).map_err(WriteError::of(&folder))?;
        for place in [&folder, run] {
            for entry in fs::read_dir(place)
                .map_err(WriteError::of(place))?
                .flatten()
            {
                let (name, path) = (entry.file_name(), entry.path());
                let name = name.to_string_lossy();
                match name.strip_prefix(ASIDE).map(|name| place.join(name)) {
                    // The crash came between two renames.
                    Some(target) if !target.exists() => {
                        fs::rename(&path, &target).map_err(WriteError::of(&target))?;
                    }
                    _ if name.starts_with(PARTIAL) => {
                        llm_files::remove(&path).map_err(WriteError::of(&path))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(Self {
            folder,
            special,
            extras: Extras(extras),
        })
    }

    /// Writes `checkpoints/step-N` and removes the oldest beyond `keep`.
    pub(crate) fn save_step(
        &self,
        model: &LanguageModel,
        states: &BTreeMap<String, State>,
        average: Option<&BTreeMap<String, Tensor<1>>>,
        progress: &Progress,
        keep: usize,
    ) -> Result<PathBuf, TrainError> {
        let target = self.folder.join(format!("step-{}", progress.step));
        write_folder(&target, |folder| -> Result<(), TrainError> {
            self.write_model(model, folder)?;
            write_memory(states, average, &folder.join(OPTIMIZER))?;
            let path = folder.join(PROGRESS);
            let bytes = serde_json::to_vec(progress).expect("numbers");
            Ok(fs::write(&path, bytes).map_err(WriteError::of(&path))?)
        })?;
        for (step, old) in steps(&self.folder).into_iter().rev().skip(keep) {
            // Under its own name it is whole until it is gone.
            let gone = self.folder.join(format!("{GONE}step-{step}"));
            fs::rename(&old, &gone).map_err(WriteError::of(&old))?;
            fs::remove_dir_all(&gone).map_err(WriteError::of(&gone))?;
        }
        Ok(target)
    }

    /// Writes `checkpoints/best`.
    pub(crate) fn save_best(&self, model: &LanguageModel) -> Result<PathBuf, TrainError> {
        let target = self.folder.join("best");
        write_folder(&target, |folder| self.write_model(model, folder))?;
        Ok(target)
    }

    /// Writes the finished model to `model` beside `checkpoints`.
    pub(crate) fn save_final(&self, model: &LanguageModel) -> Result<PathBuf, TrainError> {
        let target = self.folder.with_file_name("model");
        write_folder(&target, |folder| self.write_model(model, folder))?;
        Ok(target)
    }

    fn write_model(&self, model: &LanguageModel, folder: &Path) -> Result<(), TrainError> {
        (self.extras.0)(folder).map_err(WriteError::of(folder))?;
        Ok(save(model, &self.special, folder)?)
    }
}

/// The newest checkpoint of a run: model on `device`, what it remembers, place.
///
/// # Errors
/// [`TrainError::NoCheckpoint`], or what is wrong with the newest one.
pub(crate) fn newest(
    run: &Path,
    device: &Device,
) -> Result<(LanguageModel, Memory, Progress), TrainError> {
    let Some((_, folder)) = steps(&run.join("checkpoints")).pop() else {
        return Err(TrainError::NoCheckpoint {
            folder: run.to_owned(),
        });
    };
    let path = folder.join(PROGRESS);
    let text = fs::read(&path).map_err(|source| TrainError::Read {
        path: path.clone(),
        source,
    })?;
    let progress = serde_json::from_slice(&text).map_err(|source| TrainError::Damaged {
        path,
        source: Box::new(source),
    })?;
    let memory = read_memory(&folder.join(OPTIMIZER), &device.clone().without_autodiff())?;
    Ok((load(&folder, device)?, memory, progress))
}

/// Whether a run has a checkpoint to resume from.
pub fn has_checkpoint(run: &Path) -> bool {
    !steps(&run.join("checkpoints")).is_empty()
}

/// The step checkpoints, oldest first.
fn steps(folder: &Path) -> Vec<(u64, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let numbered = entries.filter_map(|entry| {
        let step = entry
            .file_name()
            .to_str()?
            .strip_prefix("step-")?
            .parse()
            .ok()?;
        Some((step, entry.path()))
    });
    let mut steps: Vec<(u64, PathBuf)> = numbered.collect();
    steps.sort();
    steps
}

/// A flat tensor on its way into a file. Its bytes are made when their turn comes: all at once would be the most memory of a run.
struct Stored<'a> {
    tensor: &'a Tensor<1>,
    shape: [usize; 1],
}

impl<'a> Stored<'a> {
    fn new(tensor: &'a Tensor<1>) -> Self {
        let shape = tensor.dims();
        Self { tensor, shape }
    }
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        let data = self.tensor.to_data().convert::<f32>();
        let values: Vec<f32> = data.try_to_vec().expect("converted to f32");
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }
    fn data_len(&self) -> usize {
        self.shape[0] * size_of::<f32>()
    }
}

/// Beginnings of the names in `optimizer.safetensors`; a parameter path follows.
const FIRST_MOMENT: &str = "adamw.first.";
const SECOND_MOMENT: &str = "adamw.second.";
const MOMENTUM: &str = "momentum.";
const AVERAGE: &str = "average.";

fn write_memory(
    states: &BTreeMap<String, State>,
    average: Option<&BTreeMap<String, Tensor<1>>>,
    path: &Path,
) -> Result<(), TrainError> {
    let tensors = states.iter().flat_map(|(path, state)| match state {
        State::AdamW([first, second]) => {
            vec![
                (format!("{FIRST_MOMENT}{path}"), Stored::new(first)),
                (format!("{SECOND_MOMENT}{path}"), Stored::new(second)),
            ]
        }
        State::Momentum(momentum) => {
            vec![(format!("{MOMENTUM}{path}"), Stored::new(momentum))]
        }
    });
    let averages = average.into_iter().flatten();
    let averages = averages.map(|(path, value)| (format!("{AVERAGE}{path}"), Stored::new(value)));
    let tensors = tensors.chain(averages);
    safetensors::serialize_to_file(tensors, None, path).map_err(|error| match error {
        SafeTensorError::IoError(source) => WriteError::of(path)(source).into(),
        source => TrainError::Damaged {
            path: path.to_owned(),
            source: Box::new(source),
        },
    })
}

fn read_memory(path: &Path, device: &Device) -> Result<Memory, TrainError> {
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| TrainError::Damaged {
        path: path.to_owned(),
        source,
    };
    let file = fs::read(path).map_err(|source| TrainError::Read {
        path: path.to_owned(),
        source,
    })?;
    let tensors = SafeTensors::deserialize(&file).map_err(|source| damaged(Box::new(source)))?;
    let tensor = |name: &str| {
        let view = tensors
            .tensor(name)
            .map_err(|source| damaged(Box::new(source)))?;
        let values = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let values: Vec<f32> = values.collect();
        Ok::<_, TrainError>(Tensor::<1>::from_data(
            TensorData::new(values.clone(), [values.len()]),
            device,
        ))
    };
    let mut memory = Memory::default();
    for name in tensors.names() {
        if let Some(path) = name.strip_prefix(FIRST_MOMENT) {
            let moments = [tensor(name)?, tensor(&format!("{SECOND_MOMENT}{path}"))?];
            memory.states.insert(path.to_owned(), State::AdamW(moments));
        } else if let Some(path) = name.strip_prefix(MOMENTUM) {
            let momentum = State::Momentum(tensor(name)?);
            memory.states.insert(path.to_owned(), momentum);
        } else if let Some(path) = name.strip_prefix(AVERAGE) {
            memory.average.insert(path.to_owned(), tensor(name)?);
        } else if !name.starts_with(SECOND_MOMENT) {
            return Err(damaged(format!("{name} has no meaning here").into()));
        }
    }
    Ok(memory)
}
