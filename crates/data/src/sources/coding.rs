//! Which character coding a file is written in, and its decoding to UTF-8.
//!
//! The coding is told from the beginning of a file: by a byte order mark; by being UTF-8; by the NUL bytes of UTF-16; by what a web page
//! says of itself; else by `chardetng`, which judges letters and their neighbours as Firefox does.

use std::io::{self, BufRead, Read};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

use super::format::Format;
use crate::error::DataError;

/// How much of a file is looked at, in bytes.
pub(super) const LOOK: usize = 1 << 20;
/// Stands in decoded text for what cannot be decoded; no UTF-8 has this byte.
const BAD: u8 = 0xFF;
const BUFFER: usize = 1 << 16;
/// UTF-16 units that tell the coding; fewer may be anything.
const FEWEST_UTF16: usize = 8;
/// Where a web page must say its coding, in bytes from its beginning.
const META: usize = 1024;

/// The coding that a `label` of a configuration names; none for `auto`.
pub(crate) fn named(label: &str) -> Result<Option<&'static Encoding>, DataError> {
    if label == "auto" {
        return Ok(None);
    }
    // The last one stands for codings that no browser reads any more.
    match Encoding::for_label(label.as_bytes()) {
        Some(encoding) if encoding != encoding_rs::REPLACEMENT => Ok(Some(encoding)),
        _ => Err(DataError::Encoding {
            found: label.to_owned(),
        }),
    }
}

/// The coding of text that begins with `start`; `whole` when this is all. None when it does not look like text.
pub(super) fn detect(start: &[u8], whole: bool, format: Format) -> Option<&'static Encoding> {
    // UTF-32, which nobody reads any more: its mark begins like that of UTF-16.
    if start.starts_with(&[0xFF, 0xFE, 0, 0]) {
        return None;
    }
    if let Some((encoding, _)) = Encoding::for_bom(start) {
        return Some(encoding);
    }
    if let Some(encoding) = bare_utf16(start, whole) {
        return Some(encoding);
    }
    if looks_binary(start) {
        return None;
    }
    // JSON is UTF-8 by its standard, so a bad byte is a bad record and no reason to guess.
    if matches!(format, Format::Json | Format::Jsonl) || (is_utf8(start, whole) && !escapes(start))
    {
        return Some(UTF_8);
    }
    let said = match format {
        Format::Html => said_by_page(start),
        _ => None,
    };
    Some(said.unwrap_or_else(|| {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
        detector.feed(start, whole);
        detector.guess(None, Utf8Detection::Allow)
    }))
}

/// Which UTF-16 text without a byte order mark is in: letters of the first two blocks have NUL as their other byte, on one side only. Few
/// units say nothing, as do units of many blocks: a text has one or two scripts, numbers of a program have any.
fn bare_utf16(start: &[u8], whole: bool) -> Option<&'static Encoding> {
    let nuls = |offset: usize| {
        let bytes = start.iter().skip(offset).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let (high, low) = (nuls(0), nuls(1));
    let (encoding, many, few) = if high > low {
        (UTF_16BE, high, low)
    } else {
        (UTF_16LE, low, high)
    };
    let units = start.len() / 2;
    let odd = whole && start.len() % 2 == 1;
    if units < FEWEST_UTF16 || odd || many * 10 < units || few * 20 > many {
        return None;
    }
    let mut blocks = [0_usize; 256];
    for unit in start.chunks_exact(2) {
        blocks[usize::from(unit[usize::from(encoding == UTF_16LE)])] += 1;
    }
    blocks.sort_unstable();
    if blocks[252..].iter().sum::<usize>() * 10 < units * 9 {
        return None;
    }
    let (text, bad) = encoding.decode_without_bom_handling(&start[..units * 2]);
    let controls = text
        .chars()
        .filter(|c| c.is_control() && !c.is_whitespace());
    // The last unit may be half of a pair.
    let bad = bad && text.trim_end_matches('\u{fffd}').contains('\u{fffd}');
    (!bad && controls.count() * 50 <= units).then_some(encoding)
}

fn looks_binary(start: &[u8]) -> bool {
    let is_control = |byte: &&u8| matches!(byte, 0..=7 | 0x0E..=0x19 | 0x1C..=0x1F | 0x7F);
    let controls = start.iter().filter(is_control).count();
    start.contains(&0) || controls * 50 > start.len()
}

/// Whether it is UTF-8, perhaps with a few bad bytes: guessing another coding would spoil all the good characters for their sake.
fn is_utf8(start: &[u8], whole: bool) -> bool {
    let cut_short = |error: &std::str::Utf8Error| !whole && error.error_len().is_none();
    match std::str::from_utf8(start) {
        Ok(_) => return true,
        Err(error) if cut_short(&error) => return true,
        Err(_) => {}
    }
    let (mut good, mut bad) = (0, 0);
    for chunk in start.utf8_chunks() {
        good += chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= 4 * bad
}

/// Whether it switches character sets as ISO-2022-JP does, which is ASCII to the eye of a computer.
fn escapes(start: &[u8]) -> bool {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    start.contains(&0x1B) && {
        detector.feed(start, false);
        detector.guess(None, Utf8Detection::Allow) == ISO_2022_JP
    }
}

/// The coding that a page names: `<meta charset=…>`, the same in a `content`, or `<?xml … encoding=…?>`.
fn said_by_page(start: &[u8]) -> Option<&'static Encoding> {
    let head = start[..start.len().min(META)].to_ascii_lowercase();
    let head = String::from_utf8_lossy(&head);
    let value = |after: &str| {
        let after = after.trim_start().strip_prefix('=')?.trim_start();
        let after = after.trim_start_matches(['"', '\'']);
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)));
        Encoding::for_label(&after.as_bytes()[..end?])
    };
    let all = |word: &'static str| head.match_indices(word).map(move |(at, _)| at + word.len());
    all("charset")
        .chain(all("encoding"))
        .find_map(|end| value(&head[end..]))
        // UTF-16 cannot be named in ASCII, and UTF-8 it is not.
        .filter(|said| *said != UTF_8 && *said != UTF_16BE && *said != UTF_16LE)
}

/// Decodes to UTF-8; what means nothing becomes a byte that is none, so that the line it stands in can be told.
pub(super) struct Decoding<R> {
    content: R,
    decoder: Decoder,
    decoded: Vec<u8>,
    /// How much of `decoded` is given out.
    done: usize,
    ended: bool,
}

impl<R: BufRead> Decoding<R> {
    pub(super) fn new(content: R, encoding: &'static Encoding) -> Self {
        Self {
            content,
            decoder: encoding.new_decoder_with_bom_removal(),
            decoded: Vec::new(),
            done: 0,
            ended: false,
        }
    }
}

impl<R: BufRead> BufRead for Decoding<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.done == self.decoded.len() && !self.ended {
            let input = self.content.fill_buf()?;
            let last = input.is_empty();
            self.decoded.resize(BUFFER, 0);
            let (result, read, written) =
                self.decoder
                    .decode_to_utf8_without_replacement(input, &mut self.decoded, last);
            self.content.consume(read);
            self.decoded.truncate(written);
            self.done = 0;
            match result {
                DecoderResult::Malformed(..) => self.decoded.push(BAD),
                DecoderResult::InputEmpty => self.ended = last,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(&self.decoded[self.done..])
    }

    fn consume(&mut self, n: usize) {
        self.done += n;
    }
}

impl<R: BufRead> Read for Decoding<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{SHIFT_JIS, WINDOWS_1251, WINDOWS_1252};

    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<&'static Encoding>) {
        let found = detect(bytes, true, Format::Text);
        assert_eq!(found.map(Encoding::name), expected.map(Encoding::name));
    }

    #[test]
    fn codings_are_told_apart() {
        check(b"plain ASCII\n", Some(UTF_8));
        check(b"", Some(UTF_8));
        check("na\u{ef}ve \u{4e2d}\u{6587}".as_bytes(), Some(UTF_8));
        check(b"\xEF\xBB\xBFx", Some(UTF_8));
        check(b"\xFF\xFEx\0", Some(UTF_16LE));
        check(b"\xFE\xFF\0x", Some(UTF_16BE));
        let text = "Some text, with a smile \u{1f600} and more of it\n";
        check(&utf16(text, u16::to_le_bytes), Some(UTF_16LE));
        check(&utf16(text, u16::to_be_bytes), Some(UTF_16BE));
        let french =
            "Le caf\u{e9} \u{e9}tait tr\u{e8}s bon, m\u{ea}me \u{e0} No\u{eb}l. ".repeat(5);
        check(&WINDOWS_1252.encode(&french).0, Some(WINDOWS_1252));
        let russian =
            "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{43c}\u{438}\u{440}! ".repeat(9);
        check(&WINDOWS_1251.encode(&russian).0, Some(WINDOWS_1251));
        // From the Universal Declaration of Human Rights.
        let japanese = "\u{3059}\u{3079}\u{3066}\u{306e}\u{4eba}\u{9593}\u{306f}\u{3001}\u{751f}\u{307e}\u{308c}\u{306a}\u{304c}\u{3089}\u{306b}\u{3057}\u{3066}\u{81ea}\u{7531}\u{3067}\u{3042}\u{308a}\u{3001}\u{304b}\u{3064}\u{3001}\u{5c0a}\u{53b3}\u{3068}\u{6a29}\u{5229}\u{3068}\u{306b}\u{3064}\u{3044}\u{3066}\u{5e73}\u{7b49}\u{3067}\u{3042}\u{308b}\u{3002}\n";
        check(&SHIFT_JIS.encode(japanese).0, Some(SHIFT_JIS));
        check(&ISO_2022_JP.encode(japanese).0, Some(ISO_2022_JP));
        check(b"\x1b[1mbold\x1b[0m in a terminal", Some(UTF_8));
    }

    #[test]
    fn what_is_no_text_is_told() {
        check(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\0", None);
        check(b"some text\0with a NUL in it", None);
        check(b"a\0", None);
        check(b"\0a\0b\0c", None);
        let numbers = |step: u16| (1..200).flat_map(|i| (i * step).to_le_bytes()).collect();
        let numbers: [Vec<u8>; 2] = [numbers(97), numbers(31)];
        check(&numbers[0], None);
        check(&numbers[1], None);
        check(&[1, 2, 3, b'a', b'b'].repeat(20), None);
        let noise: Vec<u8> = (0..4000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 23) as u8)
            .collect();
        check(&noise, None);
    }

    #[test]
    fn few_bad_bytes_do_not_spoil_good_text() {
        let mut text = "d\u{e9}j\u{e0} vu ".repeat(100).into_bytes();
        text.push(0xE9);
        check(&text, Some(UTF_8));
        assert_eq!(detect(&text, false, Format::Text), Some(UTF_8));
        let latin = b"{\"text\": \"caf\xe9\"}";
        assert_eq!(detect(latin, true, Format::Jsonl), Some(UTF_8));
        assert_eq!(detect(latin, true, Format::Text), Some(WINDOWS_1252));
    }

    #[test]
    fn a_page_says_its_coding() {
        for page in [
            "<meta charset=\"windows-1251\"><p>\u{e9}\u{e8}\u{ea}",
            "<META http-equiv=x content='text/html; Charset = Windows-1251'><p>\u{e9}\u{e8}\u{ea}",
            "<?xml version='1.0' encoding='windows-1251'?><p>\u{e9}\u{e8}\u{ea}",
        ] {
            let page = WINDOWS_1252.encode(page).0;
            assert_eq!(detect(&page, true, Format::Html), Some(WINDOWS_1251));
        }
        let page = "<meta charset=latin1><p>\u{e9}";
        assert_eq!(detect(page.as_bytes(), true, Format::Html), Some(UTF_8));
    }

    #[test]
    fn bad_bytes_are_marked_where_they_stand() {
        let decode = |bytes: &[u8], encoding| {
            let mut text = Vec::new();
            // A small buffer in front, so that characters are cut.
            let content = io::BufReader::with_capacity(3, bytes);
            Decoding::new(content, encoding)
                .read_to_end(&mut text)
                .map(|_| text)
        };
        assert_eq!(
            decode(b"a\x82\xa0\x82\nb", SHIFT_JIS).expect("bytes"),
            b"a\xe3\x81\x82\xFF\nb"
        );
        assert_eq!(
            decode(b"a\0b\0\x00\xd8c\0", UTF_16LE).expect("bytes"),
            b"ab\xFFc"
        );
        assert_eq!(decode(b"a\0b", UTF_16LE).expect("bytes"), b"a\xFF");
        let long = "\u{4e2d}\u{6587}".repeat(100_000);
        let packed = utf16(&long, u16::to_le_bytes);
        assert_eq!(decode(&packed, UTF_16LE).expect("bytes"), long.as_bytes());
    }

    #[test]
    fn labels_name_codings() {
        assert!(matches!(named("auto"), Ok(None)));
        assert_eq!(named("Latin1").ok().flatten(), Some(WINDOWS_1252));
        for label in ["", "latin-42", "iso-2022-kr"] {
            let error = named(label).expect_err(label).to_string();
            assert!(
                error.contains("\"windows-1252\"") && error.contains("auto"),
                "{error}"
            );
        }
    }
}
