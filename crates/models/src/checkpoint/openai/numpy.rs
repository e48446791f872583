//! Arrays as `numpy.save` writes them: a header in Python's own notation, then the numbers. Read are lists of f32.
//!
//! Source: NumPy, `numpy/lib/_format_impl.py`.

use super::Fault;
use super::cursor::Cursor;

/// First bytes of every file.
const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The bytes of a list of f32, little-endian.
///
/// # Errors
/// What is damaged or not supported.
pub(super) fn list_of_f32(bytes: &[u8]) -> Result<&[u8], Fault> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err("it does not begin as a numpy file does".into());
    };
    let mut cursor = Cursor::new(rest);
    let [version, _] = cursor.array()?;
    let len = match version {
        1 => u64::from(u16::from_le_bytes(cursor.array()?)),
        2 | 3 => u64::from(u32::from_le_bytes(cursor.array()?)),
        other => return Err(format!("version {other} is not supported (known: 1, 2, 3)")),
    };
    let header = cursor.take(len)?;
    let numbers = cursor.rest();
    let header = std::str::from_utf8(header).ok().and_then(Header::read);
    let header = header.ok_or("its header is not one of a plain array")?;
    if header.kind != "<f4" {
        let kind = header.kind;
        return Err(format!(
            "its numbers are {kind:?}, not \"<f4\": f32, little-endian"
        ));
    }
    if header.columns_first {
        return Err("its numbers are in the order of Fortran, which is not supported".into());
    }
    let [len] = header.shape[..] else {
        return Err(format!(
            "its shape is {:?}, not that of a list",
            header.shape
        ));
    };
    if len.checked_mul(4) != Some(numbers.len()) {
        let have = numbers.len();
        return Err(format!(
            "it has {have} bytes for {len} numbers: get it again"
        ));
    }
    Ok(numbers)
}

/// What the header says.
#[derive(Debug, PartialEq)]
struct Header<'a> {
    kind: &'a str,
    columns_first: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }`, its keys in any order.
    fn read(text: &'a str) -> Option<Self> {
        let mut text = Notation(text);
        let (mut kind, mut columns_first, mut shape) = (None, None, None);
        text.eat("{").then_some(())?;
        while !text.eat("}") {
            let key = text.quoted()?;
            text.eat(":").then_some(())?;
            match key {
                "descr" => kind = Some(text.quoted()?),
                "fortran_order" => columns_first = Some(text.truth()?),
                "shape" => shape = Some(text.numbers()?),
                _ => return None,
            }
            if !text.eat(",") {
                text.eat("}").then_some(())?;
                break;
            }
        }
        text.0.trim_ascii().is_empty().then_some(())?;
        Some(Self {
            kind: kind?,
            columns_first: columns_first?,
            shape: shape?,
        })
    }
}

/// What is left of a text in Python's notation.
struct Notation<'a>(&'a str);

impl<'a> Notation<'a> {
    /// Whether `token` stood next; then it is passed.
    fn eat(&mut self, token: &str) -> bool {
        let rest = self.0.trim_ascii_start().strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let quote = ["'", "\""].into_iter().find(|quote| self.eat(quote))?;
        let (inside, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(inside)
    }

    fn truth(&mut self) -> Option<bool> {
        let truth = self.eat("True");
        (truth || self.eat("False")).then_some(truth)
    }

    fn numbers(&mut self) -> Option<Vec<usize>> {
        let mut numbers = Vec::new();
        self.eat("(").then_some(())?;
        while !self.eat(")") {
            let text = self.0.trim_ascii_start();
            let end = text.find(|c: char| !c.is_ascii_digit())?;
            numbers.push(text[..end].parse().ok()?);
            self.0 = &text[end..];
            // As Python 2 wrote long numbers.
            self.eat("L");
            if !self.eat(",") {
                self.eat(")").then_some(())?;
                break;
            }
        }
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of this version and header, with so many bytes behind it.
    fn file(version: u8, header: &str, data: usize) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        let len = header.len() as u32;
        let len = &len.to_le_bytes()[..if version == 1 { 2 } else { 4 }];
        bytes.extend(len);
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + data, 7);
        bytes
    }

    #[test]
    fn lists_of_every_version_are_read() {
        for (version, header) in [
            (
                1,
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }   \n",
            ),
            (
                1,
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3L,), }\n",
            ),
            (
                2,
                "{\"shape\":(3),\"fortran_order\":False,\"descr\":\"<f4\"}",
            ),
            (
                3,
                " { 'fortran_order' : False , 'descr' : '<f4' , 'shape' : ( 3 , ) } ",
            ),
        ] {
            let read = list_of_f32(&file(version, header, 12)).map(<[u8]>::to_vec);
            assert_eq!(read.as_deref(), Ok(&[7; 12][..]), "{header}");
        }
    }

    #[test]
    fn what_is_no_list_of_f32_is_refused_by_name() {
        #[track_caller]
        fn check(bytes: &[u8], expected: &str) {
            let fault = list_of_f32(bytes).expect_err("refused");
            assert!(fault.contains(expected), "{fault}");
        }
        let with = |kind: &str, order: &str, shape: &str| {
            let header =
                format!("{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
            file(1, &header, 12)
        };
        let good = with("'<f4'", "False", "(3,)");
        for len in 0..good.len() {
            assert!(list_of_f32(&good[..len]).is_err(), "cut to {len} bytes");
        }
        check(b"PK\x03\x04 an archive", "does not begin as a numpy file");
        check(&file(4, "{}", 0), "version 4 is not supported");
        check(&with("'>f4'", "False", "(3,)"), "\">f4\"");
        check(&with("'<f8'", "False", "(3,)"), "\"<f8\"");
        check(&with("'|O'", "False", "(3,)"), "\"|O\"");
        check(&with("'<f4'", "True", "(3,)"), "order of Fortran");
        check(&with("'<f4'", "False", "(1, 3)"), "[1, 3]");
        check(&with("'<f4'", "False", "()"), "[]");
        check(&with("'<f4'", "False", "(4,)"), "12 bytes for 4 numbers");
        check(
            &with("'<f4'", "False", "(4611686018427387907,)"),
            "12 bytes for 4611686018427387907",
        );
        for odd in [
            with("[('a', '<f4')]", "False", "(3,)"),
            with("'<f4'", "0", "(3,)"),
            with("'<f4'", "False", "(-3,)"),
            with("'<f4'", "False", "(99999999999999999999,)"),
            with("'<f4'", "False", "(3"),
            with("'<f4", "False", "(3,)"),
            file(1, "{'descr': '<f4', 'shape': (3,)}", 12),
            file(
                1,
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}",
                12,
            ),
            file(
                1,
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} 1",
                12,
            ),
            file(
                1,
                "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': }",
                12,
            ),
            file(1, "", 12),
        ] {
            check(&odd, "not one of a plain array");
        }
    }
}
