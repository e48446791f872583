//! Documents that are removed for their length, their characters or their script.

use unicode_script::{Script, UnicodeScript};

use super::config::DocumentFilters;
use super::report::DocumentReason;

/// The filters of the `[data.clean.documents]` table, with the names of scripts looked up.
pub(super) struct Filters {
    config: DocumentFilters,
    scripts: Vec<Script>,
}

impl Filters {
    /// Names that [`CleanConfig::validate`](super::config::CleanConfig::validate) refuses are passed over.
    pub(super) fn new(config: &DocumentFilters) -> Self {
        let scripts = config.scripts.iter();
        Self {
            config: config.clone(),
            scripts: scripts
                .filter_map(|name| Script::from_full_name(name))
                .collect(),
        }
    }

    /// The first filter that removes `text`, if one does.
    pub(super) fn judge(&self, text: &str) -> Option<DocumentReason> {
        let config = &self.config;
        if text.trim().is_empty() {
            return Some(DocumentReason::Empty);
        }
        if *config == DocumentFilters::default() {
            return None;
        }
        let counts = Counts::of(text, &self.scripts);
        let over = |most: Option<usize>, found: usize| most.is_some_and(|most| found > most);
        if counts.chars < config.min_chars || counts.words < config.min_words {
            return Some(DocumentReason::TooShort);
        }
        if over(config.max_chars, counts.chars) || over(config.max_words, counts.words) {
            return Some(DocumentReason::TooLong);
        }
        let mean_word = counts.visible as f64 / counts.words as f64;
        if mean_word < config.min_mean_word
            || config.max_mean_word.is_some_and(|most| mean_word > most)
        {
            return Some(DocumentReason::MeanWord);
        }
        let symbols = (counts.visible - counts.alphanumeric) as f64;
        if symbols > config.max_non_alphanumeric * counts.visible as f64 {
            return Some(DocumentReason::NonAlphanumeric);
        }
        let allowed = counts.in_scripts as f64;
        if !self.scripts.is_empty() && allowed < config.min_script_share * counts.with_script as f64
        {
            return Some(DocumentReason::Script);
        }
        None
    }
}

/// Numbers of characters; `words` are parted by white space, `visible` is everything else.
#[derive(Default)]
struct Counts {
    chars: usize,
    words: usize,
    visible: usize,
    alphanumeric: usize,
    with_script: usize,
    in_scripts: usize,
}

impl Counts {
    fn of(text: &str, scripts: &[Script]) -> Self {
        let mut counts = Self::default();
        let latin = scripts.contains(&Script::Latin);
        let mut in_word = false;
        for c in text.chars() {
            counts.chars += 1;
            if c.is_whitespace() {
                in_word = false;
                continue;
            }
            counts.words += usize::from(!in_word);
            in_word = true;
            counts.visible += 1;
            // A mark belongs to its letter: without them Indic and Arabic text would seem full of symbols.
            let is_mark = !c.is_ascii() && unicode_normalization::char::is_combining_mark(c);
            counts.alphanumeric += usize::from(c.is_alphanumeric() || is_mark);
            if scripts.is_empty() {
                continue;
            }
            if c.is_ascii() {
                counts.with_script += usize::from(c.is_ascii_alphabetic());
                counts.in_scripts += usize::from(c.is_ascii_alphabetic() && latin);
            } else {
                match c.script() {
                    Script::Common | Script::Inherited | Script::Unknown => {}
                    script => {
                        counts.with_script += 1;
                        counts.in_scripts += usize::from(scripts.contains(&script));
                    }
                }
            }
        }
        counts
    }
}
