//! Tags with thousands of attributes, found before a parser sees them: it compares each attribute with all before it.

use std::borrow::Cow;

/// Attributes beyond which a tag is left out.
const MAX_ATTRIBUTES: usize = 1000;

/// Elements in which `<` begins no tag, up to their end tag.
const RAW: [&str; 8] = [
    "script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp",
];

/// `html` without tags of more than [`MAX_ATTRIBUTES`] attributes.
pub(super) fn left_out(html: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = html[at..].find('<') {
        let start = at + found;
        let rest = &html[start + 1..];
        let name_at = start + 1 + usize::from(rest.starts_with('/'));
        if rest.starts_with("!--") {
            at = after(html, start + 4, "-->");
        } else if !html[name_at..].starts_with(|c: char| c.is_ascii_alphabetic()) {
            at = start + 1;
        } else {
            let name = word(&html[name_at..]);
            let (attributes, end) = tag(html.as_bytes(), name_at + name.len());
            if attributes > MAX_ATTRIBUTES {
                kept.push_str(&html[copied..start]);
                copied = end;
            }
            at = end;
            if let Some(name) = RAW.iter().find(|raw| name.eq_ignore_ascii_case(raw))
                && !rest.starts_with('/')
            {
                at = end_tag(html, end, name);
            }
        }
    }
    if copied == 0 {
        return Cow::Borrowed(html);
    }
    kept.push_str(&html[copied..]);
    Cow::Owned(kept)
}

/// What comes up to white space, a slash or the end of the tag.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>'));
    &text[..end.unwrap_or(text.len())]
}

/// The place after the next `end`.
fn after(html: &str, from: usize, end: &str) -> usize {
    let from = html.floor_char_boundary(from);
    let found = html[from..].find(end);
    found.map_or(html.len(), |at| from + at + end.len())
}

/// Where the end tag of a raw element begins.
fn end_tag(html: &str, from: usize, name: &str) -> usize {
    let mut at = from;
    while let Some(found) = html[at..].find("</") {
        at += found;
        let candidate = html.as_bytes().get(at + 2..at + 2 + name.len());
        if candidate.is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            return at;
        }
        at += 2;
    }
    html.len()
}

/// The number of attributes of a tag, and the place behind it; `at` is behind its name.
///
/// Stops at ASCII characters alone, so the place is never inside a character.
fn tag(html: &[u8], mut at: usize) -> (usize, usize) {
    let skip = |at: &mut usize, while_: &dyn Fn(u8) -> bool| {
        while html.get(*at).is_some_and(|&byte| while_(byte)) {
            *at += 1;
        }
    };
    let is_blank = |byte: u8| byte.is_ascii_whitespace();
    let mut attributes = 0;
    loop {
        skip(&mut at, &|byte| is_blank(byte) || byte == b'/');
        match html.get(at) {
            None => return (attributes, at),
            Some(b'>') => return (attributes, at + 1),
            Some(_) => attributes += 1,
        }
        // A name may begin with `=`.
        at += 1;
        skip(&mut at, &|byte| {
            !is_blank(byte) && !matches!(byte, b'/' | b'>' | b'=')
        });
        skip(&mut at, &is_blank);
        if html.get(at) != Some(&b'=') {
            continue;
        }
        at += 1;
        skip(&mut at, &is_blank);
        match html.get(at) {
            Some(&quote @ (b'"' | b'\'')) => {
                at += 1;
                skip(&mut at, &|byte| byte != quote);
                at = (at + 1).min(html.len());
            }
            _ => skip(&mut at, &|byte| !is_blank(byte) && byte != b'>'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_left_out_for_their_attributes_alone() {
        let attributes = |value: &str| {
            (0..2000)
                .map(|n| format!(" a{n}{value}"))
                .collect::<String>()
        };
        for value in ["", "=x", "='>'", "=\">\"", " = x"] {
            let page = format!("before<p{}>after<b>", attributes(value));
            assert_eq!(left_out(&page), "beforeafter<b>", "{value}");
        }
        let many = attributes("");
        for page in [
            format!("<p title='{many}>{many}'>text"),
            format!("<!-- <p{many}> -->text"),
            format!("<script>a<b{many}></script>text"),
            format!("< p{many}>text"),
            "<p a b c>text".repeat(2000),
            "<".repeat(5000),
            "é<é</é<!--é".to_owned(),
        ] {
            assert!(matches!(left_out(&page), Cow::Borrowed(_)), "{page:.40}");
        }
        assert_eq!(left_out(&format!("text<p{many}")), "text");
    }
}
