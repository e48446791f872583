//! `{% generation %}`: the tag that transformers adds around what a model is to learn to write.
//!
//! The engine has no tags of our own, so these become `{% with %}`: a block with variables of its own that renders its inside. Only the
//! word in the tag is replaced; lines and white space stay as they were.

/// The template with its generation blocks replaced.
pub(crate) fn replace_blocks(source: &str) -> String {
    let mut result = String::with_capacity(source.len());
    let mut copied = 0;
    let mut place = 0;
    while let Some(tag) = next_opening(source, place) {
        let inside = tag + 2;
        place = match &source[tag..inside] {
            "{#" => after(source, inside, "#}"),
            "{{" => end_of_code(source, inside, "}}"),
            _ => {
                let (start, word) = first_word(source, inside);
                let end = end_of_code(source, inside, "%}");
                let rest = source.get(start + word.len()..end.saturating_sub(2));
                let alone =
                    rest.is_some_and(|rest| rest.trim_matches(['-', '+']).trim().is_empty());
                let replacement = match word {
                    "generation" if alone => Some("with"),
                    "endgeneration" if alone => Some("endwith"),
                    _ => None,
                };
                if let Some(replacement) = replacement {
                    result.push_str(&source[copied..start]);
                    result.push_str(replacement);
                    copied = start + word.len();
                }
                if word == "raw" {
                    end_of_raw(source, end)
                } else {
                    end
                }
            }
        };
    }
    result.push_str(&source[copied..]);
    result
}

/// Place of the next `{{`, `{%` or `{#`.
fn next_opening(source: &str, from: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let opens = |place: &usize| bytes[*place] == b'{' && b"{%#".contains(&bytes[*place + 1]);
    (from..bytes.len().saturating_sub(1)).find(opens)
}

/// Place after the next `end`, or the end of the source.
fn after(source: &str, from: usize, end: &str) -> usize {
    source[from..]
        .find(end)
        .map_or(source.len(), |place| from + place + end.len())
}

/// Place after the `end` of code that is not in a string or in brackets, or the end of the source.
fn end_of_code(source: &str, from: usize, end: &str) -> usize {
    let mut depth = 0usize;
    let mut characters = source[from..].char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            _ if depth == 0 && source[from + place..].starts_with(end) => {
                return from + place + end.len();
            }
            '\'' | '"' => {
                while let Some((_, inside)) = characters.next() {
                    if inside == '\\' {
                        characters.next();
                    } else if inside == character {
                        break;
                    }
                }
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    source.len()
}

/// The first word of a tag and its place.
fn first_word(source: &str, inside: usize) -> (usize, &str) {
    let tag = &source[inside..];
    let start = inside + tag.len() - tag.trim_start_matches(['-', '+']).trim_start().len();
    let word = &source[start..];
    let length = word.find(|c: char| !c.is_alphanumeric() && c != '_');
    (start, &word[..length.unwrap_or(word.len())])
}

/// Place after the tag that ends raw text.
fn end_of_raw(source: &str, from: usize) -> usize {
    let mut place = from;
    while let Some(found) = source[place..].find("{%") {
        let inside = place + found + 2;
        if first_word(source, inside).1 == "endraw" {
            return after(source, inside, "%}");
        }
        place = inside;
    }
    source.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(replace_blocks(source), expected);
    }

    #[test]
    fn tags_keep_their_lines_and_white_space_control() {
        check(
            "a\n{%- generation -%}\n{{ x }}{%\nendgeneration\n+%}b",
            "a\n{%- with -%}\n{{ x }}{%\nendwith\n+%}b",
        );
        check("{%generation%}é{%endgeneration%}", "{%with%}é{%endwith%}");
    }

    #[test]
    fn what_only_looks_like_the_tag_stays() {
        for source in [
            "{% generation",
            "{%",
            "{{ '{% generation %}' }}",
            "{{ {'a': {}} }} generation {{ \"\\\"}}{% generation %}\" }}",
            "{# {% generation %} #}",
            "{% raw %}{% generation %}{% endraw %}",
            "{% raw -%}{{ {% generation %}",
            "{% set generation = '%} {% generation %}' %}",
            "{% generation.x %}{% generations %}",
        ] {
            check(source, source);
        }
        check(
            "{% raw %}{% generation %}{%- endraw -%}{% generation %}",
            "{% raw %}{% generation %}{%- endraw -%}{% with %}",
        );
    }
}
