//! The readable text of a web page.
//!
//! The article of a page is found as Firefox's reader view finds it, by `dom_smoothie`, a port of
//! [Mozilla's Readability](https://github.com/mozilla/readability); the text is then written out from the nodes of the article, because
//! line breaks, lists, tables and preformatted text come out better so than from the flat text of that crate. A page without an article
//! (a few lines, a fragment, a list of links) gives all the visible text of its body.
//!
//! Pages come from anywhere, so what a parser does in square time is cut off: a tag with thousands of attributes is left out, and of a
//! page nested hundreds of levels deep only the tags are taken out, without building its tree. Knows nothing of encodings and files.

mod crowded;
mod render;
mod tokens;
mod walk;

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use dom_query::{Document, NodeId};
use dom_smoothie::{Config, Readability};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{Tracer, TreeBuilderOpts};
use html5ever::{ParseOpts, parse_document};

/// Levels of nesting beyond which a page is not parsed into a tree. Browsers flatten pages at 512 levels.
const MAX_DEPTH: usize = 512;

/// Bytes between two looks at the depth. A piece can open no more than a third as many levels.
const PIECE: usize = 4096;

/// Elements beyond which no article is looked for; the whole body is taken. The search takes more than linear time on some pages.
const MAX_ELEMENTS: usize = 100_000;

/// Characters below which an article is not believed: Readability's own limit for a page that is worth a reader view.
const MIN_ARTICLE: usize = 140;

/// The text of the main article of a web page, or of its whole body when it has no article.
///
/// Scripts, styles, navigation, forms, comments and hidden nodes are left out; entities are decoded. Paragraphs and headings are set off
/// by blank lines, other blocks, `<br>` and table rows by line ends; list items begin with `- ` or their number, cells of a row are parted
/// by tabs, and runs of white space are one space outside of `<pre>`. The title of the page is not part of the text. The text has no white
/// space at its ends and is empty when nothing is visible.
///
/// Takes any string: markup that is damaged, empty, huge or hostile gives the text that can be found, in time that grows about linearly
/// with the length.
pub fn readable_text(html: &str) -> String {
    let html = crowded::left_out(html);
    let Some(document) = parse(&html) else {
        return tokens::text(&html);
    };
    if let Some(text) = article(document)
        && text.chars().nth(MIN_ARTICLE - 1).is_some()
    {
        return text;
    }
    // The search takes the document apart, so the body is read from a fresh one.
    let whole = parse(&html).map(|document| {
        document
            .body()
            .map(|body| walk::text(&body))
            .unwrap_or_default()
    });
    whole.unwrap_or_default()
}

/// The tree of a page, unless it is nested too deep.
fn parse(html: &str) -> Option<Document> {
    let options = ParseOpts {
        tree_builder: TreeBuilderOpts {
            // What stands in `<noscript>`, wherever it stands, is then one piece that can be left out.
            scripting_enabled: true,
            ..TreeBuilderOpts::default()
        },
        ..ParseOpts::default()
    };
    let mut parser = parse_document(Document::default(), options);
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
        parser.process(StrTendril::from(piece));
        let open = OpenElements::default();
        parser.tokenizer.sink.trace_handles(&open);
        if open.0.get() > MAX_DEPTH {
            return None;
        }
        rest = after;
    }
    Some(parser.finish())
}

/// Counts what the parser holds open: elements, and formatting that it repeats in every paragraph.
#[derive(Default)]
struct OpenElements(Cell<usize>);

impl Tracer for OpenElements {
    type Handle = NodeId;

    fn trace_handle(&self, _: &NodeId) {
        self.0.set(self.0.get() + 1);
    }
}

/// The article of a page, if one is found.
fn article(document: Document) -> Option<String> {
    let config = Config {
        max_elements_to_parse: MAX_ELEMENTS,
        // Metadata is not part of the text.
        disable_json_ld: true,
        ..Config::default()
    };
    let mut page = Readability::with_document(document, None, Some(config)).ok()?;
    // The search compares floats and expects parents in ways that no proof covers for damaged trees. A panic there costs the article,
    // not the run.
    let found = panic::catch_unwind(AssertUnwindSafe(|| page.parse().is_ok())).unwrap_or(false);
    let article = page.doc.select_single("#readability-page-1");
    let article = article.nodes().first().filter(|_| found)?;
    Some(walk::text(article))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_bearable_depth_are_parsed() {
        let deep = |tag: &str, n: usize| tag.repeat(n);
        for page in [
            deep("<div>", 5000),
            deep("<template>", 5000),
            deep("<table><td>", 3000),
        ] {
            assert!(parse(&page).is_none(), "{}", &page[..20]);
        }
        // Formatting that was never closed is opened again in every paragraph.
        let formatting: String = (0..5000).map(|n| format!("<p><b id={n}>x</p>")).collect();
        assert!(parse(&formatting).is_none());
        let wide = "<div><p>text<br></div>".repeat(5000) + &deep("<div>", 400);
        assert!(parse(&wide).is_some());
        assert!(parse("").is_some());
    }
}
