//! `results/bench.json`: what each program measured in each round, and how ours compares.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::cases::{Case, Goal};
use super::host::Host;
use super::programs::Values;
use super::quantities::{Quantity, Sample};

/// What the JSON file holds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Report {
    pub(super) host: Host,
    /// What ours ran on.
    pub(super) device: String,
    /// Of Python and of the peers' packages.
    pub(super) versions: BTreeMap<String, String>,
    pub(super) cases: Vec<CaseReport>,
}

/// The measurements of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CaseReport {
    pub(super) name: String,
    /// The commit, with `-dirty` after it when files differ from it.
    pub(super) revision: String,
    /// The day of measuring.
    pub(super) date: String,
    /// Ours first.
    pub(super) programs: Vec<ProgramReport>,
    pub(super) comparisons: Vec<Comparison>,
}

/// The measurements of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ProgramReport {
    pub(super) name: String,
    /// Why there is nothing to compare with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) not_measured: Option<String>,
    pub(super) measured: BTreeMap<Quantity, Sample>,
}

/// Ours beside the best peer that a goal is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Comparison {
    /// The name of the goal.
    pub(super) name: String,
    pub(super) peer: String,
    pub(super) unit: String,
    /// Median of ours.
    pub(super) ours: f64,
    /// Median of the peer.
    pub(super) theirs: f64,
    /// How many times better ours is.
    pub(super) ratio: f64,
    /// The least ratio.
    pub(super) must: f64,
    /// The ratio to aim at.
    pub(super) aim: f64,
}

impl Report {
    /// The report at `path`; none if there is no such file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).map(Some).with_context(|| {
            format!(
                "cannot understand {}; give another --output, or remove it",
                path.display()
            )
        })
    }

    /// This report with those cases of an `older` one that it lacks, in the order of `cases`; only from the same machine.
    pub(super) fn over(mut self, older: Option<Self>, cases: &[Case]) -> Self {
        if let Some(older) = older.filter(|older| older.host == self.host) {
            for case in older.cases {
                if self.case(&case.name).is_none() {
                    self.cases.push(case);
                }
            }
            for (package, version) in older.versions {
                self.versions.entry(package).or_insert(version);
            }
        }
        self.cases
            .sort_by_key(|report| cases.iter().position(|case| case.name == report.name));
        self
    }

    /// The case of this name.
    pub(super) fn case(&self, name: &str) -> Option<&CaseReport> {
        self.cases.iter().find(|case| case.name == name)
    }
}

impl ProgramReport {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            not_measured: None,
            measured: BTreeMap::new(),
        }
    }

    /// Adds the values of one more round.
    pub(super) fn add(&mut self, values: Values) {
        for (quantity, value) in values {
            let sample = self.measured.remove(&quantity);
            let mut all = sample.map_or_else(Vec::new, |sample| sample.values);
            all.push(value);
            self.measured.insert(quantity, Sample::new(quantity, all));
        }
    }

    /// What was measured, or why not.
    fn sample(&self, quantity: Quantity) -> Result<&Sample, String> {
        match &self.not_measured {
            Some(reason) => Err(format!("{}: {reason}", self.name)),
            None => self
                .measured
                .get(&quantity)
                .ok_or_else(|| format!("{}: not yet", self.name)),
        }
    }
}

impl CaseReport {
    /// Fills in the comparisons that the goals of `case` ask for and the measurements allow.
    pub(super) fn compare(&mut self, case: &Case) {
        let comparisons = case.goals.iter().filter_map(|goal| {
            let Compared { ours, peer, theirs } = self.compared(goal).ok()?;
            Some(Comparison {
                name: goal.name.to_owned(),
                peer: peer.to_owned(),
                unit: goal.quantity.unit().to_owned(),
                ours: ours.median,
                theirs: theirs.median,
                ratio: goal.quantity.ratio(ours.median, theirs.median),
                must: goal.must,
                aim: goal.aim,
            })
        });
        self.comparisons = comparisons.collect();
    }

    /// Ours, and the best of the peers that the goal is about.
    ///
    /// # Errors
    /// Why one of them is missing.
    pub(super) fn compared(&self, goal: &Goal) -> Result<Compared<'_>, String> {
        let (ours, peers) = self.programs.split_first().ok_or("not yet")?;
        let ours = ours.sample(goal.quantity)?;
        let ratio = |theirs: &Sample| goal.quantity.ratio(ours.median, theirs.median);
        let mut best: Result<Compared<'_>, String> = Err(format!("{}: not yet", goal.peer));
        for peer in peers.iter().filter(|peer| peer.name.starts_with(goal.peer)) {
            best = match (best, peer.sample(goal.quantity)) {
                (Ok(best), Ok(theirs)) if ratio(best.theirs) <= ratio(theirs) => Ok(best),
                (_, Ok(theirs)) => Ok(Compared {
                    ours,
                    peer: &peer.name,
                    theirs,
                }),
                (Ok(best), Err(_)) => Ok(best),
                (Err(_), Err(reason)) => Err(reason),
            };
        }
        best
    }
}

/// What [`CaseReport::compared`] found.
pub(super) struct Compared<'a> {
    pub(super) ours: &'a Sample,
    /// The peer's name.
    pub(super) peer: &'a str,
    pub(super) theirs: &'a Sample,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Ours and its peers, each measured in as many rounds as it has values.
    pub(in crate::bench) fn case_report(
        name: &str,
        quantity: Quantity,
        programs: &[(&str, &[f64])],
    ) -> CaseReport {
        let programs = programs.iter().map(|(name, values)| {
            let mut program = ProgramReport::new(name);
            for value in *values {
                program.add(Values::from([(quantity, *value)]));
            }
            program
        });
        CaseReport {
            name: name.to_owned(),
            revision: "abc".to_owned(),
            date: "2026-01-31".to_owned(),
            programs: programs.collect(),
            comparisons: Vec::new(),
        }
    }

    fn report(cores: usize, cases: Vec<CaseReport>) -> Report {
        Report {
            host: Host {
                cpu: "Some CPU".to_owned(),
                cores,
                memory_gb: 25.1,
                os: "linux x86_64".to_owned(),
            },
            device: "cpu".to_owned(),
            versions: BTreeMap::new(),
            cases,
        }
    }

    fn goal(quantity: Quantity) -> Goal {
        Goal {
            name: "goal",
            quantity,
            peer: "PyTorch",
            must: 1.3,
            aim: 1.6,
        }
    }

    #[track_caller]
    fn check_best(quantity: Quantity, best: &str) {
        let programs: [(&str, &[f64]); 4] = [
            ("llm", &[5.0]),
            ("other", &[99.0]),
            ("PyTorch", &[2.0, 3.0]),
            ("PyTorch compiled", &[4.0, 1.0, 4.0]),
        ];
        let report = case_report("a", quantity, &programs);
        assert_eq!(report.compared(&goal(quantity)).ok().unwrap().peer, best);
    }

    #[test]
    fn the_best_mode_of_a_peer_counts() {
        check_best(Quantity::Speed, "PyTorch compiled");
        check_best(Quantity::Memory, "PyTorch");
    }

    #[test]
    fn what_was_not_measured_says_why() {
        let programs: [(&str, &[f64]); 3] = [
            ("llm", &[5.0]),
            ("PyTorch", &[2.0]),
            ("PyTorch compiled", &[4.0]),
        ];
        let mut report = case_report("a", Quantity::Speed, &programs);
        let goal = goal(Quantity::Speed);
        report.programs[2].not_measured = Some("no compiler".to_owned());
        assert_eq!(report.compared(&goal).ok().unwrap().peer, "PyTorch");
        report.programs[1].not_measured = Some("no torch".to_owned());
        assert!(report.compared(&goal).is_err());
        report.programs[0].not_measured = Some("no luck".to_owned());
        assert_eq!(report.compared(&goal).err().unwrap(), "llm: no luck");
    }

    #[test]
    fn cases_that_were_not_measured_again_are_kept() {
        let case = |name, value| case_report(name, Quantity::Speed, &[("llm", &[value])]);
        let older = || report(2, vec![case("char-small", 1.0), case("char-base", 2.0)]);
        let names = |report: Report| -> Vec<(String, f64)> {
            let value = |case: &CaseReport| case.programs[0].measured[&Quantity::Speed].median;
            let cases = report.cases.iter();
            cases.map(|case| (case.name.clone(), value(case))).collect()
        };
        let newer = || report(2, vec![case("char-base", 3.0)]);
        let cases = super::super::cases::all();
        let kept = [
            ("char-small".to_owned(), 1.0),
            ("char-base".to_owned(), 3.0),
        ];
        assert_eq!(names(newer().over(Some(older()), &cases)), kept);
        let other_machine = Report {
            host: report(4, vec![]).host,
            ..older()
        };
        assert_eq!(names(newer().over(Some(other_machine), &cases)), kept[1..]);
    }
}
