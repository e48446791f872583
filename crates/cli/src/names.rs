//! The known name that a misspelt one was meant to be.

/// The candidate nearest to `name`, if it is near enough to be a slip: at most a third of the letters differ.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(name, c), c));
    let (distance, best) = scored.min_by_key(|&(distance, _)| distance)?;
    let letters = name.chars().count().max(best.chars().count());
    (distance * 3 <= letters).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        #[track_caller]
        fn check(name: &str, expected: Option<&str>) {
            assert_eq!(
                nearest(name, ["max_steps", "batch_size", "seed"]),
                expected,
                "{name}"
            );
        }
        check("max_step", Some("max_steps"));
        check("batchsize", Some("batch_size"));
        check("sede", Some("seed"));
        check("colour", None);
        check("", None);
    }
}
