//! A process may be killed at any byte: the journal loads, and goes on.

use llm_search::{JournalStorage, Outcome, Recovery, StudyOptions, TrialState};

use crate::{journal_study, space};

const SPACE: &str = "x = { min = -5.0, max = 5.0 }\nkind = ['a', 'b', 'ü']";

#[test]
fn a_journal_cut_at_any_byte_loads_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let options = || StudyOptions {
        name: "stüdy".to_owned(),
        ..StudyOptions::default()
    };
    let mut study = journal_study(&path, space(SPACE), options());
    for value in 0..2 {
        let number = study.ask().unwrap().number;
        study.report(number, 1, f64::NAN).unwrap();
        study
            .tell(number, &Outcome::Complete(vec![f64::from(value)]))
            .unwrap();
    }
    drop(study);
    let whole = std::fs::read(&path).unwrap();
    // Every state from an empty file on: the study, its seed, two trials.
    for length in 0..=whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let storage = JournalStorage::open(&path).unwrap();
        assert_eq!(storage.corrupt_lines(), [], "{length}");
        let lines = whole[..length]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        drop(storage);
        let mut study = journal_study(&path, space(SPACE), options());
        let there = [0, 0, 0, 1, 1, 1, 2, 2, 2][lines];
        assert_eq!(study.trials().len(), there, "{length}");
        // The trial that ran is run again, and nothing is lost that was told.
        let running = usize::from([3, 4, 6, 7].contains(&lines));
        assert_eq!(
            study.recover(Recovery::All).unwrap().len(),
            running,
            "{length}"
        );
        let number = study.ask().unwrap().number;
        study.tell(number, &Outcome::Complete(vec![3.0])).unwrap();
        let complete = [0, 0, 0, 0, 0, 1, 1, 1, 2][lines] + 1;
        assert_eq!(study.count(TrialState::Complete), complete, "{length}");
        drop(study);
        let again = JournalStorage::open(&path).unwrap();
        assert_eq!(again.corrupt_lines(), [], "{length}");
    }
}

#[cfg(unix)]
#[test]
fn the_link_of_a_dead_process_of_ours_is_taken_away_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.log");
    let mut study = journal_study(&path, space(SPACE), StudyOptions::default());
    std::os::unix::fs::symlink("././journal.log", folder.path().join("journal.log.lock")).unwrap();
    let before = std::time::Instant::now();
    study.ask().unwrap();
    assert!(before.elapsed().as_secs() < 5);
}
