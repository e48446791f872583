//! A plan as a page of text.

use llm_train::plan::{Course, Limit, TOKENS_PER_PARAMETER};
use llm_train::{Moments, OptimizerKind, Settings};

use super::Report;
use crate::printer::Printer;
use crate::quantity::{bytes, count, duration, flops};
use crate::training::memory::in_words;

/// Passes over one text that are almost as good as new text (Muennighoff et al. 2023).
const GOOD_EPOCHS: f64 = 4.0;

/// Prints the parts of a plan one under the other.
///
/// # Errors
/// Stdout can't be written.
pub(super) fn print(report: &Report, printer: Printer) -> anyhow::Result<()> {
    let parts = [
        ("", model(report)),
        ("memory", memory(report)),
        ("disk", disk(report)),
        ("arithmetic", arithmetic(report)),
        ("tokens", tokens(report)),
        ("course", course(report)),
    ];
    for (title, rows) in parts {
        if !title.is_empty() {
            printer.line(title)?;
        }
        let indent = if title.is_empty() { "" } else { "  " };
        for (name, text) in rows {
            printer.line(format_args!(
                "{indent}{name:<width$}{text}",
                width = 16 - indent.len()
            ))?;
        }
    }
    Ok(())
}

type Rows = Vec<(&'static str, String)>;

fn model(report: &Report) -> Rows {
    let parameters = count(report.plan.parameters as f64);
    let text = &report.text;
    let [training, validation] =
        [text.training_tokens, text.validation_tokens].map(|n| count(n as f64));
    vec![
        (
            "model",
            format!("{}, {parameters} parameters", report.family),
        ),
        (
            "text",
            format!("{training} training tokens, {validation} for validation"),
        ),
    ]
}

fn memory(report: &Report) -> Rows {
    let memory = &report.plan.memory;
    let (train, room) = (&report.settings.train, &report.room);
    let accumulated = match train.grad_accumulation {
        1 => "",
        _ => ", of a micro-batch and of those before",
    };
    let mut rows = vec![
        ("weights", bytes(memory.weights)),
        ("gradients", bytes(memory.gradients) + accumulated),
        (
            "optimizer",
            format!(
                "{}, {}",
                bytes(memory.optimizer),
                optimizer(&report.settings)
            ),
        ),
    ];
    if memory.average > 0 {
        rows.push(("average", bytes(memory.average) + ", train.ema"));
    }
    let activations = format!(
        "{} of {} × {} tokens",
        bytes(memory.activations),
        train.batch_size,
        report.plan.seq_len
    );
    let peaks = [
        ("a step", memory.training),
        ("evaluation", memory.evaluation),
        ("sample", memory.sampling),
        ("checkpoint", memory.checkpoint),
    ];
    rows.push(("activations", activations));
    rows.extend(peaks.map(|(name, peak)| (name, bytes(peak) + " at most")));
    rows.push((
        "generation",
        format!(
            "{} at most with llm generate, keys and values {}",
            bytes(memory.generation),
            bytes(memory.kv_cache)
        ),
    ));
    let there = match room.memory {
        Some(there) => format!(", {} are there", bytes(there)),
        None => String::new(),
    };
    rows.push((
        "process",
        format!("{} at most{there}", bytes(room.peak_resident)),
    ));
    if !room.fits_memory {
        let remedy = match room.proposal {
            Some(split) => in_words(split),
            None => "lower train.seq_len, or take a smaller model".to_owned(),
        };
        rows.push(("", format!("does not fit; {remedy}")));
    }
    rows
}

fn optimizer(settings: &Settings) -> String {
    let kind = match settings.optimizer.kind {
        OptimizerKind::Adamw => "adamw",
        OptimizerKind::Muon => "muon",
        OptimizerKind::Sgd => "sgd",
        OptimizerKind::Lion => "lion",
    };
    match settings.optimizer.moments {
        Moments::F32 => kind.to_owned(),
        Moments::Bf16 => format!("{kind} in bf16"),
    }
}

fn disk(report: &Report) -> Rows {
    let disk = &report.plan.disk;
    let free = match report.room.disk {
        Some(free) => format!(", {} are free", bytes(free)),
        None => String::new(),
    };
    let verdict = if report.room.fits_disk {
        ""
    } else {
        "; does not fit: free some, or lower train.keep"
    };
    vec![
        (
            "tokens",
            format!(
                "{} in {}",
                bytes(report.text.cache_bytes),
                report.text.cache.display()
            ),
        ),
        (
            "model",
            format!("{}, the best one and the last", bytes(disk.model)),
        ),
        (
            "checkpoint",
            format!("{}, {} kept", bytes(disk.checkpoint), disk.checkpoints_kept),
        ),
        (
            "run",
            format!(
                "{} in the end, {} at most{free}{verdict}",
                bytes(disk.kept),
                bytes(disk.peak)
            ),
        ),
    ]
}

fn arithmetic(report: &Report) -> Rows {
    let compute = &report.plan.compute;
    vec![
        ("a token", flops(compute.flops_per_token)),
        ("a step", flops(compute.flops_per_step)),
        ("the run", flops(compute.flops_of_run)),
    ]
}

fn tokens(report: &Report) -> Rows {
    let (compute, course) = (&report.plan.compute, &report.plan.course);
    let repeated = if course.epochs > GOOD_EPOCHS {
        "; beyond 4 passes over a text more of them help less and less (Muennighoff et al. 2023)"
    } else {
        ""
    };
    vec![
        (
            "the run",
            format!(
                "{}: {:.2} passes over the text, {:.1} for each parameter{repeated}",
                count(compute.tokens as f64),
                course.epochs,
                compute.tokens_per_parameter
            ),
        ),
        (
            "best",
            format!(
                "{} for a model of this size: {TOKENS_PER_PARAMETER:.0} for each parameter (Hoffmann et al. 2022, Chinchilla)",
                count(compute.optimal_tokens)
            ),
        ),
        (
            "",
            format!(
                "as much arithmetic is best spent on {} parameters and {} tokens",
                count(compute.optimal_parameters_for_compute),
                count(compute.optimal_tokens_for_compute)
            ),
        ),
    ]
}

fn course(report: &Report) -> Rows {
    let course = &report.plan.course;
    let ends = course.ends_by.key();
    let mut rows = vec![(
        "steps",
        format!(
            "{} of {} tokens, ended by {ends}{}",
            course.steps,
            count(course.tokens_per_step as f64),
            time(course.step_seconds)
        ),
    )];
    let evaluations = format!(
        "{} of {} windows and one of {}{}",
        course.evaluations,
        course.evaluation_windows,
        course.final_evaluation_windows,
        time(course.evaluation_seconds)
    );
    rows.push(("evaluations", evaluations));
    let samples = format!("{}{}", course.samples, time(course.sample_seconds));
    rows.push(("samples", samples));
    let checkpoints = format!("{}{}", course.checkpoints, time(course.checkpoint_seconds));
    rows.push(("checkpoints", checkpoints));
    rows.push(("time", whole_time(course, report)));
    rows
}

fn whole_time(course: &Course, report: &Report) -> String {
    let Some(seconds) = course.seconds else {
        let limit = report.settings.train.max_minutes;
        let limit =
            limit.map(|minutes| format!("; train.max_minutes ends the run after {minutes}"));
        return format!("not measured{}", limit.unwrap_or_default());
    };
    let pace = report.pace.map_or(0.0, |pace| pace.step);
    let speed = course.tokens_per_step as f64 / pace;
    let cut = match course.ends_by {
        Limit::MaxMinutes => ", and the schedule ends with it",
        _ => "",
    };
    format!(
        "{} at {} tokens a second{cut}",
        duration(seconds),
        count(speed)
    )
}

/// A part's time, where it was measured.
fn time(seconds: Option<f64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!(": {}", duration(seconds)))
}
