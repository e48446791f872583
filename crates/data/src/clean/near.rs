//! Documents that are nearly an earlier one: MinHash signatures, found by locality-sensitive hashing, compared by their shingles.
//!
//! Sources: Broder 1997, "On the resemblance and containment of documents", <https://doi.org/10.1109/SEQUEN.1997.666900>; Leskovec,
//! Rajaraman, Ullman, "Mining of Massive Datasets", chapter 3, <http://www.mmds.org>; for the comparison of long documents Bar-Yossef et
//! al. 2002, "Counting distinct elements in a data stream" (the smallest values of a hash), <https://doi.org/10.1007/3-540-45726-7_1>.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use xxhash_rust::xxh3::xxh3_64;

use super::config::DuplicateFilters;
use super::hashed::{Hashed, rolling};
use crate::random::{Random, mix};

/// Shingles that are kept of a document. One with no more of them is compared exactly; of a longer one the smallest hashes are a sample,
/// from which a similarity of 0.8 is found with a standard deviation below 0.009.
const SKETCH: usize = 2048;

/// What it costs to miss a pair, beside 1 for a pair that is compared in vain: the comparison is quick and has the last word.
const MISS: f64 = 99.0;

/// The end of a chain of documents.
const NONE: u32 = u32::MAX;

/// The documents seen so far, none of which is nearly another.
///
/// A text is a set of shingles: runs of `shingle_words` words, which are runs of letters and digits in lower case; each character of Han,
/// kana, Thai, Lao, Khmer and Burmese, which are written without spaces, is a word. Two texts are near-duplicates when the Jaccard
/// similarity of their sets (shingles in both, as a share of shingles in either) is at least `threshold`. Signatures of `permutations`
/// hashes are cut into bands; texts that agree in a band are compared by their shingles, exactly when they have no more than 2048, else
/// by the 2048 smallest hashes. Bands and rows are chosen for the threshold so that at its default one pair in 70 is missed at a
/// similarity of 0.8, and fewer above.
///
/// A text is compared with the texts that stayed, not with those that were removed: of a chain of texts, each nearly the one before, the
/// first stays, and the next one that differs from it enough.
///
/// Memory: for each document that stays 4 bytes per different shingle, 8 KiB at most, and about 25 bytes per band (18 at the defaults):
/// about 1 KiB for a page of 150 words, 8.5 KiB for 2000 words and more. Up to 2^32 - 2 documents.
pub struct NearDuplicates {
    config: DuplicateFilters,
    /// Factors and summands of the hash functions of the signature.
    factors: Vec<u32>,
    summands: Vec<u32>,
    bands: usize,
    rows: usize,
    /// The newest document with a hash of a band.
    newest: HashMap<u64, u32, BuildHasherDefault<Hashed>>,
    /// For each document and band, the document before it with the same hash.
    older: Vec<u32>,
    sketches: Vec<Box<[u32]>>,
}

/// What is compared of a text; made by [`NearDuplicates::sketch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// A hash for each band of the signature; none for a text without words.
    bands: Vec<u64>,
    /// The smallest hashes of shingles, in order.
    shingles: Box<[u32]>,
}

impl NearDuplicates {
    /// An empty collection. Uses `threshold`, `shingle_words` and `permutations`.
    ///
    /// # Panics
    /// When a number of the configuration is not what [`CleanConfig::validate`](crate::CleanConfig::validate) allows.
    pub fn new(config: &DuplicateFilters) -> Self {
        assert!(config.shingle_words > 0, "shingles of no words");
        let (bands, rows) = bands(config.threshold, config.permutations);
        let mut random = Random::keyed(0x6E65_6172, 0);
        let mut numbers = |odd: u32| -> Vec<u32> {
            let draw = |_| (random.next() >> 32) as u32 | odd;
            (0..bands * rows).map(draw).collect()
        };
        Self {
            config: config.clone(),
            factors: numbers(1),
            summands: numbers(0),
            bands,
            rows,
            newest: HashMap::default(),
            older: Vec::new(),
            sketches: Vec::new(),
        }
    }

    /// What [`insert`](Self::insert) takes; the same for the same text, whatever was inserted.
    pub fn sketch(&self, text: &str) -> Sketch {
        let shingles = shingles(text, self.config.shingle_words);
        if shingles.is_empty() {
            return Sketch {
                bands: Vec::new(),
                shingles: Box::default(),
            };
        }
        let mut signature = vec![u32::MAX; self.bands * self.rows];
        for shingle in &shingles {
            for ((least, factor), summand) in
                signature.iter_mut().zip(&self.factors).zip(&self.summands)
            {
                *least = (*least).min(factor.wrapping_mul(*shingle).wrapping_add(*summand));
            }
        }
        let hash = |(band, rows): (usize, &[u32])| {
            let append = |hash, &row| mix(hash ^ u64::from(row));
            rows.iter().fold(mix(band as u64 + 1), append)
        };
        Sketch {
            bands: signature.chunks(self.rows).enumerate().map(hash).collect(),
            shingles: shingles[..shingles.len().min(SKETCH)].into(),
        }
    }

    /// The number of the first text that this one is nearly, counted from 0 over the texts that stayed; none when the text is new, and it
    /// then stays.
    ///
    /// A text without words is never a near-duplicate.
    pub fn insert(&mut self, sketch: Sketch) -> Option<u32> {
        let mut candidates = Vec::new();
        for (band, hash) in sketch.bands.iter().enumerate() {
            let mut next = self.newest.get(hash).copied().unwrap_or(NONE);
            while next != NONE {
                candidates.push(next);
                next = self.older[next as usize * self.bands + band];
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        let is_near = |&candidate: &u32| {
            similarity(&self.sketches[candidate as usize], &sketch.shingles)
                >= self.config.threshold
        };
        if let Some(first) = candidates.into_iter().find(is_near) {
            return Some(first);
        }
        if !sketch.bands.is_empty() {
            let number = self.sketches.len() as u32;
            for hash in sketch.bands {
                self.older
                    .push(self.newest.insert(hash, number).unwrap_or(NONE));
            }
            self.sketches.push(sketch.shingles);
        }
        None
    }
}

/// The number of bands and of rows in each that fit in `permutations` and make the fewest errors over similarities that are spread evenly:
/// a pair of similarity s agrees in a band with probability 1 - (1 - s^rows)^bands.
fn bands(threshold: f64, permutations: usize) -> (usize, usize) {
    const STEPS: usize = 200;
    let cost = |bands: usize, rows: usize| {
        let at = |step: usize| (step as f64 + 0.5) / STEPS as f64;
        let error = |similarity: f64| {
            let missed = (1.0 - similarity.powi(rows as i32)).powi(bands as i32);
            if similarity < threshold {
                1.0 - missed
            } else {
                MISS * missed
            }
        };
        (0..STEPS).map(|step| error(at(step))).sum::<f64>()
    };
    (1..=permutations)
        .map(|rows| (permutations / rows, rows))
        .min_by(|a, b| cost(a.0, a.1).total_cmp(&cost(b.0, b.1)))
        .unwrap_or((1, 1))
}

/// The Jaccard similarity of two sets of which the smallest hashes are known: exact while both are whole.
fn similarity(a: &[u32], b: &[u32]) -> f64 {
    // What lies beyond the last hash of a set that was cut is not known of it.
    let last = |set: &[u32]| match set.len() {
        SKETCH => set[SKETCH - 1],
        _ => u32::MAX,
    };
    let end = last(a).min(last(b));
    let (mut left, mut right, mut both, mut either) = (0, 0, 0_u32, 0_u32);
    loop {
        let (x, y) = (
            a.get(left).filter(|x| **x <= end),
            b.get(right).filter(|y| **y <= end),
        );
        match (x, y) {
            (None, None) => break,
            (Some(x), Some(y)) if x == y => {
                both += 1;
                left += 1;
                right += 1;
            }
            (Some(x), Some(y)) if x < y => left += 1,
            (Some(_), None) => left += 1,
            _ => right += 1,
        }
        either += 1;
    }
    f64::from(both) / f64::from(either.max(1))
}

/// The hashes of the different shingles of a text, in order. A text of fewer words than a shingle is one shingle.
fn shingles(text: &str, n: usize) -> Vec<u32> {
    let words = words(text);
    let n = n.min(words.len()).max(1);
    let mut shingles: Vec<u32> = rolling(&words, n).map(|hash| (hash >> 32) as u32).collect();
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

/// The hashes of the words of a text.
fn words(text: &str) -> Vec<u64> {
    let mut words = Vec::with_capacity(text.len() / 6);
    let mut word = String::new();
    let end = |word: &mut String, words: &mut Vec<u64>| {
        if !word.is_empty() {
            words.push(xxh3_64(word.as_bytes()));
            word.clear();
        }
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if c.is_ascii() {
            end(&mut word, &mut words);
        } else if is_unspaced(c) {
            end(&mut word, &mut words);
            word.push(c);
            end(&mut word, &mut words);
        } else if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        } else if !unicode_normalization::char::is_combining_mark(c) {
            end(&mut word, &mut words);
        }
    }
    end(&mut word, &mut words);
    words
}

/// Whether a letter belongs to a script that is written without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e01}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3041}'..='\u{30ff}' // Kana
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}') // Han
        && c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_fit_the_threshold() {
        assert_eq!(bands(0.8, 128), (18, 7));
        // The book's example: an S-curve of 20 bands and 5 rows rises where the threshold is low.
        let (n, rows) = bands(0.5, 128);
        assert!(rows < 5 && n * rows <= 128, "{n} {rows}");
        for permutations in [16, 1024] {
            for threshold in [0.01, 1.0] {
                let (n, rows) = bands(threshold, permutations);
                assert!(n * rows <= permutations && n > 0 && rows > 0);
            }
        }
    }

    #[test]
    fn signatures_agree_as_often_as_sets_are_similar() {
        // One row to a band, so each hash of a band is one hash of the signature.
        let config = DuplicateFilters {
            permutations: 1024,
            ..DuplicateFilters::default()
        };
        let mut near = NearDuplicates::new(&config);
        (near.rows, near.bands) = (1, near.factors.len());
        let mut random = Random::keyed(1, 0);
        for shared in [0_usize, 50, 100, 150, 180, 200] {
            let mut error = 0.0;
            for _ in 0..10 {
                let mut word = || format!("w{}", random.next());
                let common: Vec<_> = (0..shared).map(|_| word()).collect();
                let mut text = || {
                    let own = (shared..200).map(|_| word());
                    common
                        .iter()
                        .cloned()
                        .chain(own)
                        .collect::<Vec<_>>()
                        .join(" ")
                };
                let (a, b) = (text(), text());
                let (x, y) = (shingles(&a, 5), shingles(&b, 5));
                let exact = similarity(&x, &y);
                let (a, b) = (near.sketch(&a).bands, near.sketch(&b).bands);
                let agree = a.iter().zip(&b).filter(|(a, b)| a == b).count();
                error += agree as f64 / a.len() as f64 - exact;
            }
            // The mean of ten has a standard deviation below 0.005.
            assert!((error / 10.0).abs() < 0.02, "{shared}: {error}");
        }
    }

    #[test]
    fn similarity_is_that_of_the_sets() {
        assert_eq!(similarity(&[1, 2, 3, 4], &[2, 3, 4, 5]), 0.6);
        assert_eq!(similarity(&[1, 2], &[1, 2]), 1.0);
        assert_eq!(similarity(&[1, 2], &[3]), 0.0);
        // Two sets of which two shares in three are common, far beyond the size of a sketch.
        let mut random = Random::keyed(2, 0);
        let mut draw = |n: usize| (0..n).map(|_| random.next() as u32).collect::<Vec<_>>();
        let (common, mut a, mut b) = (draw(20_000), draw(5_000), draw(5_000));
        for set in [&mut a, &mut b] {
            set.extend(&common);
            set.sort_unstable();
            set.dedup();
            set.truncate(SKETCH);
        }
        let found = similarity(&a, &b);
        assert!((found - 2.0 / 3.0).abs() < 0.05, "{found}");
    }

    #[test]
    fn words_are_runs_of_letters_whatever_stands_between() {
        assert_eq!(words("Don't STOP, now…"), words("don t\nstop now"));
        assert_eq!(words("été"), words("ÉTÉ"));
        assert_eq!(words("東京へ行く").len(), 5);
        assert_eq!(words("हिन्दी").len(), 1);
        assert_eq!(words("¿?!").len(), 0);
        assert_eq!(shingles("only three words", 5).len(), 1);
        assert_eq!(shingles("", 5).len(), 0);
    }
}
