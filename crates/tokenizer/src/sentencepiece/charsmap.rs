//! The table by which SentencePiece rewrites characters before it looks for pieces, such as full-width letters and ligatures.
//!
//! A trie over bytes, packed into one array of 32-bit units, leads to texts that end with a zero byte. Of all the beginnings of a text that
//! the trie has, the longest is replaced. The library's `Precompiled` takes the shortest, one cluster of characters at a time, and so gives
//! other texts for letters with two accents and the like.
//!
//! Source: `Normalizer::NormalizePrefix` of <https://github.com/google/sentencepiece/blob/master/src/normalizer.cc>; the units are those of
//! <https://github.com/s-yata/darts-clone>.

/// A table that leads nowhere outside of itself.
#[derive(Debug)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    /// The texts, each with a zero byte behind it.
    texts: String,
}

/// Why bytes are no table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The array is empty, cut short or leads outside.
    Array,
    /// The texts are not UTF-8, or the last one has no end.
    Texts,
}

impl Charsmap {
    /// Reads a table.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or(Damage::Array)?;
        let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| Damage::Array)?;
        let (array, texts) = rest.split_at_checked(size).ok_or(Damage::Array)?;
        let (units, rest) = array.as_chunks::<4>();
        if units.is_empty() || !rest.is_empty() {
            return Err(Damage::Array);
        }
        let texts = String::from_utf8(texts.to_vec()).map_err(|_| Damage::Texts)?;
        if !texts.is_empty() && !texts.ends_with('\0') {
            return Err(Damage::Texts);
        }
        let units: Vec<_> = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        let table = Self { units, texts };
        if table.leads_outside() {
            return Err(Damage::Array);
        }
        Ok(table)
    }

    /// Whether some unit leads to a place that the array or the texts do not have. The library would panic there.
    fn leads_outside(&self) -> bool {
        // A byte changes the lowest eight bits of a place.
        let whole = self.units.len().is_multiple_of(256);
        let leads_outside = |(place, unit): (usize, &u32)| {
            let is_leaf = unit >> 31 == 1;
            let next = self.units.get(place ^ offset(*unit));
            !is_leaf
                && next
                    .is_none_or(|leaf| has_leaf(*unit) && self.text(*leaf & !(1 << 31)).is_none())
        };
        !whole || self.units.iter().enumerate().any(leads_outside)
    }

    /// Length in bytes of the longest beginning of `text` that is replaced, and what replaces it.
    pub(super) fn replacement(&self, text: &str) -> Option<(usize, &str)> {
        let mut found = None;
        let mut place = offset(*self.units.first()?);
        for (index, byte) in text.bytes().enumerate() {
            place ^= usize::from(byte);
            let Some(unit) = self.units.get(place) else {
                break;
            };
            if label(*unit) != u32::from(byte) {
                break;
            }
            place ^= offset(*unit);
            if has_leaf(*unit)
                && let Some(leaf) = self.units.get(place)
            {
                // A damaged array could end within a character.
                let length = index + 1;
                let replacement = self.text(*leaf & !(1 << 31));
                found = replacement
                    .filter(|_| text.is_char_boundary(length))
                    .map(|replacement| (length, replacement))
                    .or(found);
            }
        }
        found
    }

    /// The text that begins at a place.
    fn text(&self, place: u32) -> Option<&str> {
        let rest = self.texts.get(usize::try_from(place).ok()?..)?;
        rest.split('\0').next()
    }
}

fn has_leaf(unit: u32) -> bool {
    unit >> 8 & 1 == 1
}

/// The byte that leads to a unit; no byte for a leaf.
fn label(unit: u32) -> u32 {
    unit & (1 << 31 | 0xFF)
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & 1 << 9) >> 6)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A table for the bytes `a` and `ab`, laid out by hand.
    fn table() -> Vec<u8> {
        let unit = |byte: u8, leaf: bool, offset: u32| {
            u32::from(byte) | u32::from(leaf) << 8 | offset << 10
        };
        // The root leads on at 256; its child by `a` lies at 256 ^ 97 and leads on at 512, and so forth.
        let mut units = vec![0; 1024];
        units[0] = unit(0, false, 256);
        units[256 ^ 97] = unit(b'a', true, (256 ^ 97) ^ 512);
        units[512] = 1 << 31;
        units[512 ^ 98] = unit(b'b', true, (512 ^ 98) ^ 768);
        units[768] = 1 << 31 | 3;
        let mut bytes = (units.len() as u32 * 4).to_le_bytes().to_vec();
        units
            .iter()
            .for_each(|unit| bytes.extend(unit.to_le_bytes()));
        bytes.extend("é\0long\0".as_bytes());
        bytes
    }

    #[test]
    fn the_longest_beginning_is_replaced() {
        let table = Charsmap::read(&table()).unwrap();
        assert_eq!(table.replacement("abc"), Some((2, "long")));
        assert_eq!(table.replacement("ac"), Some((1, "é")));
        assert_eq!(table.replacement("b"), None);
        assert_eq!(table.replacement(""), None);
        assert_eq!(table.replacement("\0"), None);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let whole = table();
        for length in 0..4 + 4096 {
            let found = Charsmap::read(&whole[..length]).err();
            assert_eq!(found, Some(Damage::Array), "{length}");
        }
        let cut = &whole[..whole.len() - 1];
        assert_eq!(Charsmap::read(cut).err(), Some(Damage::Texts));
        let mut wrong = whole.clone();
        *wrong.last_mut().unwrap() = 0xC3;
        assert_eq!(Charsmap::read(&wrong).err(), Some(Damage::Texts));
        assert_eq!(Charsmap::read(&[0; 8]).err(), Some(Damage::Array));
    }

    proptest! {
        #[test]
        fn damaged_tables_replace_whole_characters_or_nothing_or_are_refused(
            damage in prop::collection::vec((0usize..4110, any::<u8>()), 1..4),
            text in "[abé\0]{0,6}|(?s:.){0,20}",
        ) {
            let mut bytes = table();
            for (place, byte) in damage {
                let place = place % bytes.len();
                bytes[place] = byte;
            }
            if let Ok(table) = Charsmap::read(&bytes)
                && let Some((length, _)) = table.replacement(&text)
            {
                prop_assert!(length > 0 && text.is_char_boundary(length));
            }
        }
    }
}
