//! Measured figures in README.md, checked against the file they come from.
//!
//! A figure is written `<!--fig results/bench.json cases.char-small.comparisons.speed.ours-->8,800<!--/fig-->`: a JSON file,
//! a path of keys in it, and the number as printed. In a list a key is an index, or the `name` of one of its objects. The
//! printed number must be the measured one rounded to the digits that it shows; of a whole number, zeros at the end count
//! as rounding, except among its first two digits.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

const OPENING: &str = "<!--fig ";
const CLOSING: &str = "<!--/fig-->";

/// One marked figure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Figure<'a> {
    /// The line of README.md it stands on.
    pub(super) line: usize,
    file: &'a str,
    keys: &'a str,
    printed: &'a str,
}

/// All figures of `text`.
///
/// # Errors
/// A mark that is not closed, or does not name a file and a path in it.
pub(super) fn find(text: &str) -> Result<Vec<Figure<'_>>> {
    let mut figures = Vec::new();
    for (content, line) in text.lines().zip(1..) {
        let mut rest = content;
        while let Some((_, after)) = rest.split_once(OPENING) {
            let parts = after.split_once("-->").and_then(|(source, after)| {
                let (file, keys) = source.trim().split_once(' ')?;
                let (printed, after) = after.split_once(CLOSING)?;
                Some((file, keys.trim(), printed.trim(), after))
            });
            let Some((file, keys, printed, after)) = parts else {
                bail!(
                    "README.md:{line}: a figure is written {OPENING}FILE KEY.KEY-->NUMBER{CLOSING}, on one line"
                );
            };
            figures.push(Figure {
                line,
                file,
                keys,
                printed,
            });
            rest = after;
        }
    }
    Ok(figures)
}

impl Figure<'_> {
    /// Compares the printed number with the measured one; `root` is where files are looked for.
    pub(super) fn check(&self, root: &Path) -> Result<()> {
        let path = root.join(self.file);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", self.file))?;
        let json: Value =
            serde_json::from_str(&text).with_context(|| format!("{} is not JSON", self.file))?;
        let measured = look_up(&json, self.keys).with_context(|| format!("in {}", self.file))?;
        let (shown, unit) = number(self.printed)?;
        let rounded = (measured / unit).round() * unit;
        if (rounded - shown).abs() > unit * 1e-6 {
            bail!(
                "prints {}, but {} of {} is {measured}",
                self.printed,
                self.keys,
                self.file
            );
        }
        Ok(())
    }
}

fn look_up(json: &Value, keys: &str) -> Result<f64> {
    let mut value = json;
    for key in keys.split('.') {
        let next = match value {
            Value::Array(items) => items
                .iter()
                .find(|item| item.get("name").and_then(Value::as_str) == Some(key))
                .or_else(|| key.parse::<usize>().ok().and_then(|index| items.get(index))),
            other => other.get(key),
        };
        value = next.with_context(|| format!("there is no `{key}` on the path {keys}"))?;
    }
    value
        .as_f64()
        .with_context(|| format!("{keys} is not a number"))
}

/// The printed number, and the size of one step of its last digit that counts.
fn number(printed: &str) -> Result<(f64, f64)> {
    let digits: String = printed
        .trim_end_matches(['x', '×', '%', ' '])
        .chars()
        .filter(|c| *c != ',')
        .collect();
    let value: f64 = digits
        .parse()
        .with_context(|| format!("`{printed}` is not a number"))?;
    let decimals = digits
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    let whole = digits.trim_start_matches('-');
    let zeros = whole.len() - whole.trim_end_matches('0').len();
    let rounded_away = if decimals > 0 {
        0
    } else {
        zeros.min(whole.len().saturating_sub(2))
    };
    Ok((value, 10f64.powi(rounded_away as i32 - decimals as i32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_with_their_lines() {
        let text = "a\n| <!--fig r/b.json results.gpt2-124m decode.value-->64.2<!--/fig--> | <!--fig c d-->1<!--/fig--> |\n";
        let figure = |file, keys, printed| Figure {
            line: 2,
            file,
            keys,
            printed,
        };
        let expected = [
            figure("r/b.json", "results.gpt2-124m decode.value", "64.2"),
            figure("c", "d", "1"),
        ];
        assert_eq!(find(text).unwrap(), expected);
    }

    #[test]
    fn a_broken_mark_is_refused() {
        for text in [
            "<!--fig a.json-->1<!--/fig-->",
            "<!--fig a.json b-->1",
            "<!--fig a.json b",
        ] {
            assert!(
                find(text).unwrap_err().to_string().contains("README.md:1"),
                "{text}"
            );
        }
    }

    #[test]
    fn values_are_looked_up_by_key_index_and_name() {
        let json = serde_json::json!({"results": [{"name": "x y", "value": 3}, {"name": "0", "value": 4}], "a": {"b": 2}});
        assert_eq!(look_up(&json, "a.b").unwrap(), 2.0);
        assert_eq!(look_up(&json, "results.x y.value").unwrap(), 3.0);
        assert_eq!(look_up(&json, "results.1.value").unwrap(), 4.0);
        assert_eq!(look_up(&json, "results.0.value").unwrap(), 4.0);
        assert!(look_up(&json, "results.z.value").is_err());
        assert!(look_up(&json, "a").is_err());
    }

    #[track_caller]
    fn check(printed: &str, measured: f64, agrees: bool) {
        let (shown, unit) = number(printed).unwrap();
        let rounded = (measured / unit).round() * unit;
        assert_eq!(
            (rounded - shown).abs() <= unit * 1e-6,
            agrees,
            "{printed} for {measured}"
        );
    }

    #[test]
    fn a_figure_is_the_measured_value_rounded_to_its_digits() {
        check("8,800", 8812.3, true);
        check("8,800", 8850.1, false);
        check("8,812", 8812.3, true);
        check("8,812", 8812.6, false);
        check("8,000", 8040.0, true);
        check("8,000", 8060.0, false);
        check("10", 10.4, true);
        check("10", 11.0, false);
        check("1.90", 1.8962, true);
        check("1.90", 1.91, false);
        check("1.3x", 1.27, true);
        check("2.5 ×", 2.6, false);
        check("-3.2", -3.24, true);
    }

    #[test]
    fn a_figure_names_its_file() {
        let text = "<!--fig missing.json a-->1<!--/fig-->";
        let error = find(text).unwrap()[0]
            .check(Path::new("nowhere"))
            .unwrap_err();
        assert!(format!("{error:#}").contains("missing.json"));
    }
}
