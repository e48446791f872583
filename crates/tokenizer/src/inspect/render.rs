//! Writing the tokens of a text so that one sees where each begins, with white space and parts of characters made visible.

use super::{Inspection, PieceKind};

/// How tokens are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// By a bar between them.
    None,
    /// By the colour behind them, with the escape sequences of terminals.
    Ansi,
}

/// Stands between tokens without colours.
const BAR: char = '│';
/// Colours of the 256-colour palette for black letters, one after the other.
const BACKGROUNDS: [u8; 4] = [153, 223, 157, 218];
/// Behind special and unknown tokens.
const STRIKING: u8 = 214;
const RESET: &str = "\x1b[0m";

impl Inspection<'_> {
    /// The text with its tokens told apart. A space is `␣`, a tab `→`, a line feed `⏎` before the new line; other white space and control characters
    /// stand with their code point as `<U+00A0>`, so that nothing in a text reaches the terminal. A part of a character is written in its
    /// bytes, as `<E7><8B>`. What the tokenizer adds of its own stands as an empty token.
    pub fn render(&self, colours: Colours) -> String {
        let mut out = String::with_capacity(self.text.len() * 3);
        let mut line_begins = true;
        for (index, piece) in self.pieces.iter().enumerate() {
            let shown = self.shown(piece.range.clone());
            match colours {
                Colours::None => {
                    if !line_begins {
                        out.push(BAR);
                    }
                    out.push_str(&shown);
                }
                Colours::Ansi => {
                    let background = match piece.kind {
                        PieceKind::Special | PieceKind::Unknown => STRIKING,
                        PieceKind::Normal | PieceKind::Byte => {
                            BACKGROUNDS[index % BACKGROUNDS.len()]
                        }
                    };
                    // The colour ends with the line, or it would fill the rest of it.
                    for line in shown.split_inclusive('\n') {
                        let content = line.trim_end_matches('\n');
                        out.push_str(&format!("\x1b[30;48;5;{background}m{content}{RESET}"));
                        out.push_str(&line[content.len()..]);
                    }
                }
            }
            line_begins = shown.ends_with('\n');
        }
        out
    }

    /// A range of the text made visible.
    fn shown(&self, range: std::ops::Range<usize>) -> String {
        let mut out = String::new();
        let mut place = range.start;
        while place < range.end {
            let character = self.text.get(place..).and_then(|rest| rest.chars().next());
            match character {
                Some(character) if place + character.len_utf8() <= range.end => {
                    push_character(character, &mut out);
                    place += character.len_utf8();
                }
                _ => {
                    out.push_str(&format!("<{:02X}>", self.text.as_bytes()[place]));
                    place += 1;
                }
            }
        }
        out
    }
}

pub(super) fn push_character(character: char, out: &mut String) {
    match character {
        ' ' => out.push('␣'),
        '\t' => out.push('→'),
        '\n' => out.push_str("⏎\n"),
        _ if character.is_whitespace() || character.is_control() || reorders(character) => {
            out.push_str(&format!("<U+{:04X}>", u32::from(character)));
        }
        _ => out.push(character),
    }
}

/// Whether a character has no shape of its own and changes the order in which a terminal shows those around it.
fn reorders(character: char) -> bool {
    matches!(character, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
