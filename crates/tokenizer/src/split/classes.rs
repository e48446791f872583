//! The classes of characters that the splitting rules speak of: letters, numbers, white space, and the rest.
//!
//! What a letter is, is asked of the engine of regular expressions that the `tokenizers` crate uses, so that both go by one version of
//! Unicode. It is asked once for each page of 256 characters that a text has.

use std::sync::{LazyLock, OnceLock};

use tokenizers::utils::SysRegex;

/// Class of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s`
    Space,
    /// Anything else.
    Other,
}

/// Characters in a page.
const PAGE: u32 = 256;
/// Number of pages up to U+10FFFF.
const PAGES: usize = 0x11_0000 / PAGE as usize;

static PAGE_CLASSES: [OnceLock<Box<[Class; PAGE as usize]>>; PAGES] =
    [const { OnceLock::new() }; PAGES];

static EXPRESSIONS: LazyLock<[(SysRegex, Class); 3]> = LazyLock::new(|| {
    [
        (r"\p{L}+", Class::Letter),
        (r"\p{N}+", Class::Number),
        (r"\s+", Class::Space),
    ]
    .map(|(expression, class)| {
        let expression = SysRegex::new(expression).expect("the expression is valid");
        (expression, class)
    })
});

/// Class of an ASCII character; the others have [`Class::Other`] here.
pub(super) const ASCII: [Class; 256] = ascii();

const fn ascii() -> [Class; 256] {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Number,
            b' ' | b'\t'..=b'\r' => Class::Space,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
}

/// Class of a character outside ASCII.
pub(super) fn of(character: char) -> Class {
    let code = u32::from(character);
    let (page, place) = (code / PAGE, (code % PAGE) as usize);
    PAGE_CLASSES[page as usize].get_or_init(|| read_page(page))[place]
}

fn read_page(page: u32) -> Box<[Class; PAGE as usize]> {
    let mut classes = Box::new([Class::Other; PAGE as usize]);
    let characters: String = (page * PAGE..(page + 1) * PAGE)
        .filter_map(char::from_u32)
        .collect();
    for (expression, class) in EXPRESSIONS.iter() {
        for (start, end) in expression.find_iter(&characters) {
            for character in characters[start..end].chars() {
                classes[(u32::from(character) % PAGE) as usize] = *class;
            }
        }
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_ascii_are_those_of_the_expressions() {
        let page = read_page(0);
        assert_eq!(page[..128], ASCII[..128]);
    }

    #[test]
    fn numbers_and_white_space_are_those_of_unicode() {
        // Characters that were assigned after one of the two tables was made may differ; these were not.
        for character in ('\u{80}'..='\u{2FFF}').chain('\u{10000}'..='\u{103FF}') {
            let expected = if character.is_numeric() {
                Class::Number
            } else if character.is_whitespace() {
                Class::Space
            } else {
                continue;
            };
            assert_eq!(of(character), expected, "{character:?}");
        }
        assert_eq!(of('é'), Class::Letter);
        assert_eq!(of('語'), Class::Letter);
        assert_eq!(of('\u{301}'), Class::Other);
        assert_eq!(of('🙂'), Class::Other);
    }
}
