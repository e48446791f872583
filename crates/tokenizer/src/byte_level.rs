//! The 256 printable symbols in which byte-level vocabularies write bytes.
//!
//! Printable bytes of Latin-1 stand for themselves; the other 68 take the characters from U+0100 on, in order.
//!
//! Source: `bytes_to_unicode` of GPT-2, <https://github.com/openai/gpt-2/blob/master/src/encoder.py>.

/// Symbol of a byte.
pub(crate) fn symbol(byte: u8) -> char {
    let shifted = match byte {
        0..=32 => u16::from(byte),
        127..=160 => u16::from(byte) - 127 + 33,
        173 => 67,
        _ => return char::from(byte),
    };
    char::from_u32(256 + u32::from(shifted)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Byte of a symbol; none for a character that is no symbol.
pub(crate) fn byte(symbol: char) -> Option<u8> {
    let code = u32::from(symbol);
    let byte = match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => code,
        0x100..=0x120 => code - 0x100,
        0x121..=0x142 => code - 0x121 + 127,
        0x143 => 173,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// Appends the bytes that `token` spells. A token with any other character, such as an added one, stands for itself.
pub(crate) fn push_bytes(token: &str, bytes: &mut Vec<u8>) {
    let start = bytes.len();
    for character in token.chars() {
        match byte(character) {
            Some(byte) => bytes.push(byte),
            None => {
                bytes.truncate(start);
                bytes.extend_from_slice(token.as_bytes());
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    #[test]
    fn symbols_are_those_of_the_library_and_byte_inverts_symbol() {
        let mut ours: Vec<char> = (0..=255).map(symbol).collect();
        for value in 0..=255 {
            assert_eq!(byte(symbol(value)), Some(value));
        }
        assert_eq!(symbol(b' '), 'Ġ');
        assert_eq!(symbol(b'\n'), 'Ċ');

        let mut theirs: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
        assert_eq!(byte(' '), None);
        assert_eq!(byte('\u{144}'), None);
    }

    #[test]
    fn tokens_outside_the_alphabet_stand_for_themselves() {
        let mut bytes = b"x".to_vec();
        push_bytes("Ġa", &mut bytes);
        push_bytes("Ġ a", &mut bytes);
        assert_eq!(bytes, "x aĠ a".as_bytes());
    }
}
