//! Near-duplicates: planted pairs of known similarity.
//!
//! The protocol: a text of random words, and a copy in which some words are replaced, so that the Jaccard similarity of their sets of
//! 5-word shingles, counted here without hashes, is spread evenly over a range. All texts go into one collection in a shuffled order in
//! which each stands before its copy. A pair of similarity 0.8 and more is a positive; a copy that is found is predicted to be one. Texts
//! of different pairs share nothing.

use std::collections::HashSet;

use llm_data::{DuplicateFilters, NearDuplicates};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// SplitMix64, for draws that never change.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn jaccard(a: &[String], b: &[String]) -> f64 {
    let (a, b): (HashSet<_>, HashSet<_>) = (a.windows(5).collect(), b.windows(5).collect());
    let both = a.intersection(&b).count();
    both as f64 / (a.len() + b.len() - both) as f64
}

/// A text of `n` words, and a copy of about the wanted similarity.
fn pair(draws: &mut Draws, n: usize, wanted: f64) -> (Vec<String>, Vec<String>) {
    let word = |draws: &mut Draws| format!("w{}", draws.below(20_000));
    let text: Vec<_> = (0..n).map(|_| word(draws)).collect();
    let mut copy = text.clone();
    // Each of the words replaced changes five shingles, unless another stands near.
    let n_shingles = (n - 4) as f64;
    let changed = n_shingles * (1.0 - wanted) / (1.0 + wanted);
    let share = 1.0 - (1.0 - changed / n_shingles).powf(0.2);
    let n_replaced = (share * n as f64).round() as usize;
    let mut replaced = HashSet::new();
    while replaced.len() < n_replaced {
        let at = draws.below(n);
        if replaced.insert(at) {
            copy[at] = format!("x{}", draws.next());
        }
    }
    (text, copy)
}

struct Found {
    pairs: usize,
    precision: f64,
    recall: f64,
}

fn find(seed: u64, n_pairs: usize, words: (usize, usize), similarities: (f64, f64)) -> Found {
    let mut draws = Draws(seed);
    let (low, high) = similarities;
    let mut pairs = Vec::new();
    while pairs.len() < n_pairs {
        let n = words.0 + draws.below(words.1 - words.0);
        let wanted = low + (high - low) * draws.share();
        let (text, copy) = pair(&mut draws, n, wanted);
        let similarity = jaccard(&text, &copy);
        if (low..=high).contains(&similarity) {
            pairs.push((text.join(" "), copy.join(" "), similarity));
        }
    }
    let mut near = NearDuplicates::new(&DuplicateFilters::default());
    // A pair is first met as its text, then as its copy.
    let mut order: Vec<_> = (0..n_pairs).flat_map(|pair| [pair, pair]).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, draws.below(last + 1));
    }
    let mut met = HashSet::new();
    let (mut hits, mut found, mut positives) = (0, 0, 0);
    for pair in order {
        let (text, copy, similarity) = &pairs[pair];
        if met.insert(pair) {
            let sketch = near.sketch(text);
            assert_eq!(near.insert(sketch), None, "texts of different pairs");
            continue;
        }
        let sketch = near.sketch(copy);
        let is_found = near.insert(sketch).is_some();
        found += usize::from(is_found);
        positives += usize::from(*similarity >= 0.8);
        hits += usize::from(is_found && *similarity >= 0.8);
    }
    Found {
        pairs: n_pairs,
        precision: hits as f64 / found as f64,
        recall: hits as f64 / positives as f64,
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the figures are what the test is about"
)]
fn planted_pairs_are_found_and_others_are_not() {
    println!(
        "{:>12} {:>12} {:>7} {:>9} {:>7}",
        "words", "similarity", "pairs", "precision", "recall"
    );
    for (seed, n_pairs, words, similarities) in [
        (1, 2000, (100, 400), (0.5, 1.0)),
        (2, 2000, (100, 400), (0.7, 0.9)),
        (3, 2000, (100, 400), (0.77, 0.83)),
        // Beyond the size of a sketch.
        (4, 400, (3000, 6000), (0.5, 1.0)),
        (5, 400, (3000, 6000), (0.7, 0.9)),
    ] {
        let found = find(seed, n_pairs, words, similarities);
        let range = |low, high| format!("{low}-{high}");
        println!(
            "{:>12} {:>12} {:>7} {:>9.4} {:>7.4}",
            range(words.0, words.1),
            format!("{}-{}", similarities.0, similarities.1),
            found.pairs,
            found.precision,
            found.recall
        );
        assert!(found.precision >= 0.95 && found.recall >= 0.95);
    }
}

#[test]
fn the_first_of_a_group_stays() {
    let mut runner = TestRunner::deterministic();
    let words = proptest::collection::vec("[a-z]{5}", 300)
        .new_tree(&mut runner)
        .expect("words")
        .current();
    let text = |changed: usize| {
        let mut words = words.clone();
        for at in 0..changed {
            words[at * 40] = "changed".to_owned();
        }
        words.join(" ")
    };
    let mut near = NearDuplicates::new(&DuplicateFilters::default());
    let mut insert = |text: &str| {
        let sketch = near.sketch(text);
        near.insert(sketch)
    };
    assert_eq!(
        insert("some other text of no more than ten words, or eleven"),
        None
    );
    assert_eq!(insert(&text(0)), None);
    assert_eq!(insert(&text(1)), Some(1));
    assert_eq!(insert(&text(3)), Some(1));
    assert_eq!(insert(&text(0)), Some(1));
    assert_eq!(
        insert("Some other text - of no more than ten words, or eleven."),
        Some(0)
    );
}
