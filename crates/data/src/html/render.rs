//! Writes text out of elements and pieces of text in the order of the page: where lines and paragraphs end, and which white space stays.
//!
//! Knows nothing of trees: elements are entered and left by name, so that a stream of tags can be written too.

use html5ever::{LocalName, local_name};

/// Text under way.
#[derive(Default)]
pub(super) struct Renderer {
    out: String,
    /// Line ends due before the next visible character: 2 for a blank line.
    line_ends: usize,
    /// What parts the next word from the last when no line end does.
    gap: Gap,
    /// What goes before the next visible character, such as the mark of a list item.
    mark: String,
    /// The lists around, the innermost last: the number of the next item, none for bullets.
    lists: Vec<Option<u64>>,
    /// Levels of `<pre>` around.
    preformatted: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Tab,
}

/// Line ends before and after an element: 2 for a paragraph, 1 for another block, 0 in the midst of a line.
fn line_ends(name: &LocalName) -> usize {
    match *name {
        local_name!("p")
        | local_name!("blockquote")
        | local_name!("dl")
        | local_name!("fieldset")
        | local_name!("figure")
        | local_name!("h1")
        | local_name!("h2")
        | local_name!("h3")
        | local_name!("h4")
        | local_name!("h5")
        | local_name!("h6")
        | local_name!("hr")
        | local_name!("ol")
        | local_name!("pre")
        | local_name!("table")
        | local_name!("ul") => 2,
        local_name!("address")
        | local_name!("article")
        | local_name!("aside")
        | local_name!("body")
        | local_name!("caption")
        | local_name!("center")
        | local_name!("dd")
        | local_name!("details")
        | local_name!("div")
        | local_name!("dt")
        | local_name!("figcaption")
        | local_name!("footer")
        | local_name!("form")
        | local_name!("header")
        | local_name!("legend")
        | local_name!("li")
        | local_name!("main")
        | local_name!("nav")
        | local_name!("option")
        | local_name!("section")
        | local_name!("summary")
        | local_name!("tr") => 1,
        _ => 0,
    }
}

impl Renderer {
    pub(super) fn enter(&mut self, name: &LocalName) {
        match *name {
            local_name!("br") => {
                self.line_ends = (self.line_ends + 1).min(2);
                if self.preformatted > 0 {
                    self.flush();
                }
            }
            local_name!("ul") => self.list(None),
            local_name!("ol") => self.list(Some(1)),
            local_name!("li") => {
                self.break_line(1);
                self.mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
            }
            local_name!("td") | local_name!("th") => self.gap = Gap::Tab,
            _ => {
                self.break_line(line_ends(name));
                if *name == local_name!("pre") {
                    self.preformatted += 1;
                }
            }
        }
    }

    pub(super) fn leave(&mut self, name: &LocalName) {
        match *name {
            local_name!("br") => {}
            local_name!("ul") | local_name!("ol") => {
                self.lists.pop();
                // A list inside a list is part of an item.
                self.break_line(if self.lists.is_empty() { 2 } else { 1 });
            }
            local_name!("li") => {
                self.mark.clear();
                self.break_line(1);
            }
            local_name!("tr") => {
                self.gap = Gap::None;
                self.break_line(1);
            }
            _ => {
                if *name == local_name!("pre") {
                    self.preformatted = self.preformatted.saturating_sub(1);
                }
                self.break_line(line_ends(name));
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.preformatted > 0 {
            if !text.is_empty() {
                self.flush();
                self.out.push_str(text);
            }
            return;
        }
        let mut words = text.split_ascii_whitespace();
        if text.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.gap = self.gap.max(Gap::Space);
        }
        if let Some(first) = words.next() {
            self.flush();
            self.out.push_str(first);
            for word in words {
                self.out.push(' ');
                self.out.push_str(word);
            }
            if text.ends_with(|c: char| c.is_ascii_whitespace()) {
                self.gap = Gap::Space;
            }
        }
    }

    /// The text, without white space at its ends.
    pub(super) fn finish(self) -> String {
        let end = self.out.trim_end().len();
        let mut out = self.out;
        out.truncate(end);
        // Only preformatted text can begin with white space; its first line keeps its indentation.
        let start = out.len() - out.trim_start_matches(['\n', '\r']).len();
        out.split_off(start)
    }

    fn list(&mut self, first: Option<u64>) {
        self.break_line(if self.lists.is_empty() { 2 } else { 1 });
        self.lists.push(first);
    }

    fn break_line(&mut self, line_ends: usize) {
        self.line_ends = self.line_ends.max(line_ends);
    }

    /// Writes what is due before the next visible character.
    fn flush(&mut self) {
        // Preformatted text may have ended with line ends of its own.
        let tail = self.out.as_bytes().iter().rev();
        let ended = tail.take_while(|&&byte| byte == b'\n').count();
        let due = self.line_ends.saturating_sub(ended);
        self.out.push_str(match (due, self.gap) {
            _ if self.out.is_empty() || (due == 0 && ended > 0) => "",
            (0, Gap::None) => "",
            (0, Gap::Space) => " ",
            (0, Gap::Tab) => "\t",
            (1, _) => "\n",
            _ => "\n\n",
        });
        self.line_ends = 0;
        self.gap = Gap::None;
        self.out.push_str(&std::mem::take(&mut self.mark));
    }
}
