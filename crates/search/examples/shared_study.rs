//! A worker of a study that others share: `shared_study PLACE TRIALS` runs trials until the study has so many. PLACE is a journal or the address of a
//! database. A Python program can work on the same study at the same time; see `xtask/golden/live/check_optuna.py`.

use std::path::Path;

use llm_search::{
    DatabaseUrl, JournalStorage, Limits, Outcome, PrunerConfig, RdbStorage, Running, Space,
    SpaceConfig, Storage, Study, StudyOptions,
};

const SPACE: &str = "
x = { min = -5.0, max = 5.0 }
rate = { min = 1e-4, max = 1.0, log = true }
size = { min = 8, max = 64, step = 8 }
kind = ['near', 'far']
shift = { min = 1, max = 9, when = 'kind == \"far\"' }
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(place), Some(trials)) = (args.next(), args.next()) else {
        return Err("shared_study PLACE TRIALS".into());
    };
    let config: SpaceConfig = toml::from_str(SPACE)?;
    let space = Space::new(config.parameters)?.with_constraint("shift % 2 == 1")?;
    let storage: Box<dyn Storage> = if place.contains("://") {
        Box::new(RdbStorage::open(DatabaseUrl::parse(&place)?, "shared")?)
    } else {
        Box::new(JournalStorage::open(Path::new(&place))?)
    };
    let options = StudyOptions {
        name: "shared".to_owned(),
        ..StudyOptions::default()
    };
    let mut study = Study::open(storage, space, options)?
        .with_pruner(PrunerConfig::named("median")?.build()?)?;
    study.optimize(
        &objective,
        Limits {
            trials: Some(trials.parse()?),
            timeout: None,
        },
    )?;
    Ok(())
}

fn objective(trial: &Running<'_>) -> Outcome {
    let shift = trial.get("shift").map_or(0.0, |_| trial.float("shift"));
    let value = trial.float("x").powi(2)
        + shift
        + (trial.float("rate") / 0.01).ln().abs()
        + trial.float("size") / 64.0;
    for step in 0..5 {
        match trial.report(step, value + 1.0 / (step + 1) as f64) {
            Ok(false) => {}
            Ok(true) => return Outcome::Pruned,
            Err(error) => return Outcome::Failed(error.to_string()),
        }
    }
    value.into()
}
