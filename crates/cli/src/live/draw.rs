//! The picture of a run, for a screen of any size.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, LineGauge, Paragraph, Wrap};

use super::state::{History, State};
use crate::curves::{Curve, Ink, Plot};
use crate::quantity::{bytes, clock, short, with_commas};

/// From so many columns on, three columns of curves stand beside each other.
const WIDE: u16 = 120;

/// Draws the picture.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, ink: Ink) {
    let area = frame.area();
    let n_numbers = if area.width < WIDE { 2 } else { 1 };
    let below = match area.height {
        0..=17 => 0,
        18..=29 => 5,
        _ => 8,
    };
    let [title, gauge, numbers, curves, texts] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(n_numbers),
        Constraint::Min(0),
        Constraint::Length(below),
    ])
    .areas(area);
    draw_title(frame, title, state, ink);
    draw_gauge(frame, gauge, state, ink);
    draw_numbers(frame, numbers, state, ink);
    draw_curves(frame, curves, state, ink);
    draw_texts(frame, texts, state, ink);
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, state: &State, ink: Ink) {
    let keys = if state.is_stopping {
        "finishing the step and saving; once more: end at once"
    } else {
        "q  save and stop"
    };
    let [left, right] =
        Layout::horizontal([Constraint::Min(0), Constraint::Length(keys.len() as u16)]).areas(area);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Span::styled(state.title.clone(), bold), left);
    frame.render_widget(Span::styled(keys, ink.faint()), right);
}

fn draw_gauge(frame: &mut Frame<'_>, area: Rect, state: &State, ink: Ink) {
    let Some(pace) = &state.pace else {
        return;
    };
    let left = pace.left(state.step).map(clock);
    let left = left.map_or_else(String::new, |left| format!("  {left} left"));
    let words = format!("{} of {} steps{left}", state.step, pace.total);
    let [bar, text] = Layout::horizontal([
        Constraint::Min(0),
        Constraint::Length(words.chars().count() as u16),
    ])
    .areas(area);
    let share = state.step as f64 / pace.total.max(1) as f64;
    let filled = match ink {
        Ink::Colored => Style::new().fg(ratatui::style::Color::Blue),
        Ink::Plain => Style::new(),
    };
    let gauge = LineGauge::default()
        .ratio(share.clamp(0.0, 1.0))
        .label(format!("{:>3.0} %", 100.0 * share))
        .filled_symbol("━")
        .unfilled_symbol(if ink == Ink::Plain { "┄" } else { "─" })
        .filled_style(filled)
        .unfilled_style(ink.faint());
    frame.render_widget(
        gauge,
        Rect {
            width: bar.width.saturating_sub(2),
            ..bar
        },
    );
    frame.render_widget(Span::raw(words), text);
}

fn draw_numbers(frame: &mut Frame<'_>, area: Rect, state: &State, ink: Ink) {
    let mut numbers = Vec::new();
    if let Some(record) = &state.record {
        numbers.push(("loss", format!("{:.4}", record.loss)));
    }
    if let Some((last, best)) = state.validation {
        numbers.push(("validation", format!("{last:.4}")));
        numbers.push(("best", format!("{best:.4}")));
    }
    if let Some(record) = &state.record {
        let optional = [
            ("rate", record.learning_rate.map(short)),
            ("gradient", record.grad_norm.map(short)),
            (
                "tokens/s",
                record
                    .tokens_per_s
                    .map(|speed| with_commas(speed.round() as u64)),
            ),
            (
                "of the peak",
                record
                    .utilisation
                    .map(|share| format!("{:.0} %", 100.0 * share)),
            ),
            ("memory", record.rss_bytes.map(bytes)),
            ("epoch", Some(format!("{:.2}", record.epoch))),
        ];
        let given = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        numbers.extend(given);
    }
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = vec![Line::default()];
    for (name, value) in numbers {
        let width = name.len() + value.len() + 4;
        let last = lines.len() - 1;
        if lines[last].width() + width > usize::from(area.width) + 3 {
            lines.push(Line::default());
        }
        if let Some(line) = lines.last_mut() {
            line.push_span(Span::styled(format!("{name} "), ink.faint()));
            line.push_span(Span::styled(value, bold));
            line.push_span(Span::raw("   "));
        }
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_curves(frame: &mut Frame<'_>, area: Rect, state: &State, ink: Ink) {
    let loss = [
        ("training", &state.training_loss),
        ("validation", &state.validation_loss),
    ];
    let small = [
        ("learning rate", &state.learning_rate),
        ("tokens a second", &state.tokens_per_s),
        ("memory, bytes", &state.memory),
    ];
    let (large, places) = if area.width < WIDE {
        let [large, below] =
            Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
        // Three would be too narrow.
        let [a, b] = Layout::horizontal([Constraint::Fill(1); 2]).areas(below);
        (large, vec![a, b])
    } else {
        let [large, beside] =
            Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
        let places = Layout::vertical([Constraint::Fill(1); 3]).areas::<3>(beside);
        (large, places.to_vec())
    };
    panel(frame, large, "loss, nats a token", &loss, ink);
    for ((name, history), place) in small.iter().zip(places) {
        panel(frame, place, name, &[("", *history)], ink);
    }
}

fn panel(frame: &mut Frame<'_>, area: Rect, label: &str, histories: &[(&str, &History)], ink: Ink) {
    let block = framed(ink);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let curves = histories.iter().map(|(name, history)| Curve {
        name: (*name).to_owned(),
        points: history.points(),
    });
    let plot = Plot {
        x_label: "",
        y_label: label,
        curves: curves.collect(),
        log: false,
    };
    plot.draw(inner, frame.buffer_mut(), ink);
}

fn draw_texts(frame: &mut Frame<'_>, area: Rect, state: &State, ink: Ink) {
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(area);
    let (title, text) = match &state.sample {
        Some((step, text)) => (format!(" sample at step {step} "), text.trim()),
        None => (" no sample yet ".to_owned(), ""),
    };
    let sample = Paragraph::new(text)
        .wrap(Wrap { trim: true })
        .block(framed(ink).title(title));
    frame.render_widget(sample, left);
    let fits = usize::from(right.height.saturating_sub(2));
    let newest = state.notes.len().saturating_sub(fits);
    let notes = state.notes.iter().skip(newest);
    let notes = Paragraph::new(
        notes
            .map(|note| Line::raw(note.as_str()))
            .collect::<Vec<_>>(),
    );
    frame.render_widget(notes.block(framed(ink).title(" log ")), right);
}

fn framed(ink: Ink) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(ink.faint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Update;
    use crate::progress::Pace;
    use llm_train::{Record, Split};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn record(step: u64, split: Split) -> Record {
        Record {
            step,
            split,
            loss: 4.0 / step as f64,
            learning_rate: Some(1e-3),
            grad_norm: Some(0.5),
            skipped_steps: None,
            tokens: step * 32,
            epoch: 0.25,
            tokens_per_s: Some(12_345.0),
            flops_per_s: Some(1e9),
            utilisation: Some(0.31),
            evaluated_tokens: None,
            rss_bytes: Some(150_000_000),
            seconds: 1.0,
            time: 0.0,
        }
    }

    fn picture(width: u16, height: u16, state: &State) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| draw(frame, state, Ink::Plain))
            .unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_worth_knowing_is_on_the_screen() {
        let mut state = State::new("runs/first".to_owned());
        state.take(Update::Begin {
            step: 0,
            pace: Pace::new(0, 100, None),
            records: Vec::new(),
        });
        for step in 1..=40 {
            state.take(Update::Record(record(step, Split::Train)));
        }
        state.take(Update::Record(record(40, Split::Validation)));
        state.take(Update::Sample {
            step: 40,
            text: "One morning Mia had a kite.".to_owned(),
        });
        state.take(Update::Note("step 40: a note".to_owned()));
        for (width, height) in [(80, 24), (80, 40), (200, 50)] {
            let screen = picture(width, height, &state);
            for words in [
                "runs/first",
                "40 of 100 steps",
                "left",
                "loss 0.1000",
                "validation 0.1000",
                "0.001",
                "12,345",
                "150 MB",
                "31 %",
                "training",
                "tokens a second",
                "sample at step 40",
                "Mia had a kite",
                "step 40: a note",
                "save and stop",
            ] {
                assert!(screen.contains(words), "{words} at {width}: {screen}");
            }
        }
        state.is_stopping = true;
        assert!(picture(80, 24, &state).contains("once more: end at once"));
    }

    #[test]
    fn a_screen_of_any_size_is_drawn() {
        let state = State::new("x".repeat(300));
        for (width, height) in [(1, 1), (10, 3), (19, 60), (300, 2), (300, 100)] {
            picture(width, height, &state);
        }
    }
}
