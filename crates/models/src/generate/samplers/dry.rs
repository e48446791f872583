//! DRY ("don't repeat yourself"): the longer the run of tokens that a token would continue to repeat, the more its logit loses.
//!
//! Where the context ends as it does after some earlier token too, for `n` tokens, the token that followed there loses
//! `multiplier * base^(n - allowed_length)`, if `n` is at least the allowed length; of several such `n` the largest counts. Runs end at
//! sequence breakers, such as line ends and quotation marks, which are never punished themselves.
//!
//! Source: p-e-w 2024, <https://github.com/oobabooga/text-generation-webui/pull/5677>; pi6am 2024,
//! <https://github.com/LostRuins/koboldcpp/pull/982>, whose search in linear time llama.cpp has taken over. Here breakers are single tokens.

use std::collections::{HashMap, HashSet};

use super::{Moment, Sampler};

/// The settings.
#[derive(Debug)]
pub(super) struct Dry {
    pub(super) multiplier: f32,
    pub(super) base: f32,
    /// Tokens that may repeat without a loss.
    pub(super) allowed_length: usize,
    /// Tokens that end a run.
    pub(super) breakers: HashSet<u32>,
    /// How many of the last tokens are searched.
    pub(super) last_n: usize,
}

impl Sampler for Dry {
    fn key(&self) -> &'static str {
        "dry_multiplier"
    }

    fn apply(&self, logits: &mut [f32], moment: &Moment<'_>) -> Option<f32> {
        let start = moment.tokens.len().saturating_sub(self.last_n);
        let mut newest_first = moment.tokens[start..].to_vec();
        newest_first.reverse();
        let is_breaker = |id: &u32| self.breakers.contains(id);
        let unbroken = newest_first.iter().position(is_breaker);
        let unbroken = unbroken.unwrap_or(newest_first.len());
        if unbroken < self.allowed_length {
            return None;
        }
        let mut longest = HashMap::<u32, usize>::new();
        let repeats = common_prefixes(&newest_first);
        for (followed, repeat) in newest_first.iter().zip(&repeats[1..]) {
            let repeat = (*repeat).min(unbroken);
            if repeat >= self.allowed_length && !is_breaker(followed) {
                let entry = longest.entry(*followed).or_default();
                *entry = repeat.max(*entry);
            }
        }
        for (id, repeat) in longest {
            let exponent = (repeat - self.allowed_length) as f32;
            // A loss beyond what a float holds would forbid the token, and then maybe all.
            let loss = (self.multiplier * self.base.powf(exponent)).min(f32::MAX / 4.0);
            logits[id as usize] -= loss;
        }
        None
    }
}

/// How many tokens the list from each position on has in common with the whole list from its beginning on (the Z-function; Gusfield
/// 1997, "Algorithms on Strings, Trees, and Sequences", section 1.4), in linear time.
fn common_prefixes(list: &[u32]) -> Vec<usize> {
    let mut common = vec![0; list.len()];
    // The match that reaches furthest, from `left` to before `right`.
    let (mut left, mut right) = (0, 0);
    for i in 1..list.len() {
        let mut n = if i < right {
            common[i - left].min(right - i)
        } else {
            0
        };
        while i + n < list.len() && list[n] == list[i + n] {
            n += 1;
        }
        if i + n > right {
            (left, right) = (i, i + n);
        }
        common[i] = n;
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn common_prefixes_are_those_of_the_plain_search(list in prop::collection::vec(0u32..3, 1..40)) {
            let plain = |i: usize| list.iter().zip(&list[i..]).take_while(|(a, b)| a == b).count();
            let expected: Vec<usize> = (0..list.len()).map(|i| if i == 0 { 0 } else { plain(i) }).collect();
            prop_assert_eq!(common_prefixes(&list), expected);
        }
    }
}
