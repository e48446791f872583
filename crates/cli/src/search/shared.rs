//! A study in a database, which several machines share: whoever joins must search the same.

use anyhow::bail;
use llm_search::{RdbStorage, Study};
use serde_json::{Map, Value};

use super::settings::SearchSettings;
use super::trials_config::TrialsConfig;

/// A note on the study: what its trials have in common.
const FINGERPRINT: &str = "llm:search";

/// The study in the database, if the settings name one.
///
/// # Errors
/// The database can't be reached, or the trials of the study there are not those of this search.
pub(crate) fn shared_study(
    settings: &SearchSettings,
    trials: &TrialsConfig,
) -> anyhow::Result<Option<Study>> {
    let Some(url) = settings.database()? else {
        return Ok(None);
    };
    let storage = RdbStorage::open(url, &settings.study_name)?;
    let space = trials.restrict(settings)?;
    let mut study = Study::open(Box::new(storage), space, settings.options())?;
    let mine = trials.fingerprint(settings)?;
    let theirs = study.note_once(FINGERPRINT, &mine)?;
    match differing(&mine, &theirs) {
        None if study.options().seed != settings.seed => bail!(
            "the study `{}` in the database has the seed {}, this search {}; give the same with --seed, or another --study-name",
            settings.study_name,
            study.options().seed,
            settings.seed
        ),
        None => Ok(Some(study)),
        Some(key) => bail!(
            "the study `{}` in the database is another search, whose {key} differs; give this one a name with --study-name",
            settings.study_name
        ),
    }
}

/// The first key, by its path, in which two values differ.
fn differing(mine: &Value, theirs: &Value) -> Option<String> {
    match (mine, theirs) {
        (Value::Object(mine), Value::Object(theirs)) => {
            let keys = mine.keys().chain(theirs.keys());
            keys.into_iter().find_map(|key| {
                let value = |map: &Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                let inner = differing(&value(mine), &value(theirs))?;
                Some(if inner.is_empty() {
                    key.clone()
                } else {
                    format!("{key}.{inner}")
                })
            })
        }
        _ => (mine != theirs).then(String::new),
    }
}
