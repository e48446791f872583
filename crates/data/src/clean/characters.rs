//! Changes to single characters: normal forms of Unicode, and characters without a glyph.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfkc_quick};

use super::config::NormalForm;

/// `text` in a normal form, and the number of characters that were not in it.
///
/// What changed is counted between the first and the last difference of each run without blanks.
pub(super) fn to_normal_form(text: &str, form: NormalForm) -> (Cow<'_, str>, u64) {
    let is_normal = match form {
        NormalForm::None => return (Cow::Borrowed(text), 0),
        // Every ASCII text is in every normal form; the tables need not be asked.
        _ if text.is_ascii() => return (Cow::Borrowed(text), 0),
        NormalForm::Nfc => |run: &str| is_nfc_quick(run.chars()) == IsNormalized::Yes,
        NormalForm::Nfkc => |run: &str| is_nfkc_quick(run.chars()) == IsNormalized::Yes,
    };
    if is_normal(text) {
        return (Cow::Borrowed(text), 0);
    }
    let mut normal = String::with_capacity(text.len());
    let mut changed = 0;
    let mut run_in_form = String::new();
    // Space and line feed are never composed with what follows them, so the runs between them can be taken one by one.
    for run in text.split_inclusive([' ', '\n']) {
        if run.is_ascii() || is_normal(run) {
            normal.push_str(run);
            continue;
        }
        run_in_form.clear();
        match form {
            NormalForm::Nfkc => run_in_form.extend(run.nfkc()),
            _ => run_in_form.extend(run.nfc()),
        }
        changed += differing(run, &run_in_form);
        normal.push_str(&run_in_form);
    }
    match changed {
        0 => (Cow::Borrowed(text), 0),
        _ => (Cow::Owned(normal), changed),
    }
}

/// The characters of `before` between the first and the last difference, at least 1 unless the two are equal.
fn differing(before: &str, after: &str) -> u64 {
    if before == after {
        return 0;
    }
    let same = |pair: &(char, char)| pair.0 == pair.1;
    let prefix = before.chars().zip(after.chars()).take_while(same).count();
    let from_end = before.chars().rev().zip(after.chars().rev());
    let suffix = from_end.take_while(same).count();
    let chars = before.chars().count();
    chars.saturating_sub(prefix + suffix).max(1) as u64
}

/// `text` with line feeds for every kind of line end and without the characters that [`is_invisible`] names, and how many characters
/// were removed or replaced.
pub(super) fn without_control(text: &str) -> (Cow<'_, str>, u64) {
    let Some(first) = text.find(|c| is_invisible(c) || is_other_line_end(c)) else {
        return (Cow::Borrowed(text), 0);
    };
    let mut clean = String::with_capacity(text.len());
    clean.push_str(&text[..first]);
    let mut changed = 0;
    let mut chars = text[first..].chars().peekable();
    while let Some(c) = chars.next() {
        if is_other_line_end(c) {
            changed += 1;
            if !(c == '\r' && chars.peek() == Some(&'\n')) {
                clean.push('\n');
            }
        } else if is_invisible(c) {
            changed += 1;
        } else {
            clean.push(c);
        }
    }
    (Cow::Owned(clean), changed)
}

/// Carriage return, vertical tab, form feed, next line, line and paragraph separator.
fn is_other_line_end(c: char) -> bool {
    matches!(
        c,
        '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Whether a character shows nothing, spells nothing and ends no line: control characters, soft hyphen, zero-width space, word joiner and
/// invisible operators, byte order mark, marks, embeddings and isolates of direction, annotation anchors, language tag, noncharacters.
pub(crate) fn is_invisible(c: char) -> bool {
    match c {
        '\n' | '\t' | ' '..='~' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => !is_other_line_end(c),
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0001}' => true,
        c => u32::from(c) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_form(form: NormalForm, text: &str, normal: &str, changed: u64) {
        assert_eq!(to_normal_form(text, form), (Cow::from(normal), changed));
    }

    #[test]
    fn normal_forms_change_what_they_should() {
        check_form(NormalForm::None, "e\u{301}", "e\u{301}", 0);
        check_form(NormalForm::Nfc, "caf\u{e9} cafe\u{301}s", "café cafés", 2);
        check_form(NormalForm::Nfc, "ﬁ ２", "ﬁ ２", 0);
        check_form(NormalForm::Nfkc, "ﬁ ２", "fi 2", 2);
        // Conjoining letters of Hangul, each of them a starter.
        check_form(NormalForm::Nfc, "\u{1112}\u{1161}\u{11ab}", "한", 3);
    }

    #[test]
    fn characters_without_a_glyph_go_and_line_ends_become_one() {
        for (text, clean, changed) in [
            ("a\r\nb\rc\u{c}d\u{85}e\u{2028}f", "a\nb\nc\nd\ne\nf", 5),
            ("\u{feff}a\u{ad}b\u{200b}c\0\u{202e}\u{7f}\t", "abc\t", 6),
            ("\u{e0001}\u{1fffe}\u{fdd0}", "", 3),
            // A joiner, a non-joiner and a variation selector spell something.
            (
                "می\u{200c}خواهم 👩\u{200d}🚀 ❤\u{fe0f}",
                "می\u{200c}خواهم 👩\u{200d}🚀 ❤\u{fe0f}",
                0,
            ),
            ("plain\n\ttext", "plain\n\ttext", 0),
        ] {
            assert_eq!(
                without_control(text),
                (Cow::from(clean), changed),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn runs_one_by_one_give_the_form_of_the_whole(text in "[ \\n\\PCe\u{301}\u{323}\u{1100}\u{1161}\u{11a8}ﬁ¨\u{a0}]{0,20}") {
            let (nfc, n_nfc) = to_normal_form(&text, NormalForm::Nfc);
            prop_assert_eq!(&nfc, &text.nfc().collect::<String>());
            prop_assert_eq!(n_nfc == 0, *nfc == *text);
            let (nfkc, _) = to_normal_form(&text, NormalForm::Nfkc);
            prop_assert_eq!(&nfkc, &text.nfkc().collect::<String>());
        }

        #[test]
        fn what_is_clean_stays(text in "\\PC*|.*") {
            let clean = without_control(&text).0.into_owned();
            prop_assert_eq!(without_control(&clean), (Cow::from(clean.as_str()), 0));
        }
    }
}
