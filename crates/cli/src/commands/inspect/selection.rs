//! Which tensors are listed, and names in the order in which people count.

use std::cmp::Ordering;

use regex::Regex;

use crate::failure::usage;

/// A pattern that names must match.
#[derive(Debug, clap::Args)]
pub(crate) struct Filter {
    /// List only what this regular expression is found in the name of, such as attn or '\.(0|11)\.'
    #[arg(long, value_name = "REGEX")]
    filter: Option<String>,
}

impl Filter {
    /// Keeps the items whose names match, in their order.
    ///
    /// # Errors
    /// The pattern is none, or matches nothing; ends with exit code 2.
    pub(crate) fn keep<T>(
        &self,
        mut items: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> anyhow::Result<Vec<T>> {
        let Some(pattern) = &self.filter else {
            return Ok(items);
        };
        let regex = Regex::new(pattern).map_err(|error| {
            // The library draws the place of the fault over several lines; the last one says it.
            let fault = error.to_string();
            let fault = fault.lines().last().unwrap_or_default();
            usage(format_args!(
                "--filter {pattern}: is no regular expression: {}",
                fault.trim_start_matches("error: ")
            ))
        })?;
        let example = items.first().map(|item| name(item).to_owned());
        items.retain(|item| regex.is_match(name(item)));
        match (items.is_empty(), example) {
            (true, Some(example)) => Err(usage(format_args!(
                "--filter {pattern}: no tensor has such a name; the first is called {example}"
            ))),
            _ => Ok(items),
        }
    }
}

/// Compares names as people count: runs of digits by their value.
pub(crate) fn by_number(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    loop {
        let (a_part, b_part);
        (a_part, a_rest) = first_run(a_rest);
        (b_part, b_rest) = first_run(b_rest);
        let order = match (a_part.parse::<u64>(), b_part.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => a_part.cmp(b_part),
        };
        if order != Ordering::Equal || (a_part.is_empty() && b_part.is_empty()) {
            return order.then_with(|| a.cmp(b));
        }
    }
}

/// The digits or the other characters that a text begins with, and the rest.
fn first_run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits);
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_in_the_order_of_their_numbers() {
        let mut names = ["h.10.b", "h.2.b", "h.2.a", "h", "a.1", "h.2"];
        names.sort_by(|a, b| by_number(a, b));
        assert_eq!(names, ["a.1", "h", "h.2", "h.2.a", "h.2.b", "h.10.b"]);
    }
}
