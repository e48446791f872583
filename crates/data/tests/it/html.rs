//! Web pages: Mozilla's published cases, and pages made to break a parser.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use llm_data::readable_text;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::real_files::data_dir;

/// Source and expected article of every page of Mozilla's test cases in the data folder, by name.
fn pages(test: &str) -> Vec<(String, String, String)> {
    let Some(folder) = data_dir(test) else {
        return Vec::new();
    };
    let mut pages: Vec<_> = fs::read_dir(folder.join("html"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .map(|path| {
            let read = |name| fs::read_to_string(path.join(name)).expect("a page");
            let name = path.file_name().expect("a name").to_string_lossy();
            (
                name.into_owned(),
                read("source.html"),
                read("expected.html"),
            )
        })
        .collect();
    pages.sort();
    assert!(pages.len() >= 14, "pages are missing");
    pages
}

/// The text of a piece of HTML by plain stripping: what stands between tags, entities decoded, and a gap for every tag but those
/// inside of words.
fn stripped(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        text.push_str(&rest[..start]);
        let end = rest[start..]
            .find('>')
            .map_or(rest.len(), |at| start + at + 1);
        let name = rest[start..end].trim_matches(['<', '>', '/']);
        let name = name.split([' ', '\n', '/']).next().unwrap_or_default();
        let inline = [
            "a", "abbr", "b", "bdi", "cite", "code", "em", "i", "q", "s", "small", "span",
            "strong", "sub", "sup", "u", "var",
        ];
        if !inline.contains(&name) {
            text.push(' ');
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
    for (entity, plain) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&nbsp;", " "),
    ] {
        text = text.replace(entity, plain);
    }
    while let Some(start) = text.find("&#") {
        let end = start + text[start..].find(';').expect("an entity ends");
        let digits = &text[start + 2..end];
        let code = match digits.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => digits.parse(),
        };
        let c = char::from_u32(code.expect("a number")).expect("a character");
        text.replace_range(start..=end, &c.to_string());
    }
    text.replace("&amp;", "&")
}

/// Runs of letters and digits, and how often each occurs.
fn words(text: &str) -> HashMap<&str, i64> {
    let mut counts = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if !word.is_empty() {
            *counts.entry(word).or_default() += 1;
        }
    }
    counts
}

struct Scores {
    precision: f64,
    recall: f64,
    f1: f64,
}

fn scores(found: &str, expected: &str) -> Scores {
    let (found, expected) = (words(found), words(expected));
    let shared: i64 = found
        .iter()
        .map(|(word, &n)| n.min(expected.get(word).copied().unwrap_or(0)))
        .sum();
    let share = |all: &HashMap<&str, i64>| shared as f64 / all.values().sum::<i64>().max(1) as f64;
    let (precision, recall) = (share(&found), share(&expected));
    let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
    Scores {
        precision,
        recall,
        f1,
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the figures are what the test is about"
)]
fn articles_have_the_words_that_mozilla_expects() {
    let pages = pages("articles_have_the_words_that_mozilla_expects");
    if pages.is_empty() {
        return;
    }
    println!(
        "{:32} {:>9} {:>9} {:>9}",
        "page", "precision", "recall", "F1"
    );
    let mut sum = 0.0;
    let mut worst = ("", 1.0_f64);
    for (name, source, expected) in &pages {
        let found = readable_text(source);
        let Scores {
            precision,
            recall,
            f1,
        } = scores(&found, &stripped(expected));
        println!("{name:32} {precision:9.4} {recall:9.4} {f1:9.4}");
        sum += f1;
        if f1 < worst.1 {
            worst = (name, f1);
        }
    }
    let mean = sum / pages.len() as f64;
    println!("{:32} {:9} {:9} {mean:9.4}", "mean", "", "");
    assert!(mean >= 0.90, "mean F1 {mean}");
    assert!(worst.1 >= 0.75, "{worst:?}");
}

/// Pages that cost some parsers square time or their stack, `n` units long.
fn hostile(n: usize) -> Vec<(&'static str, String)> {
    let each = |make: &dyn Fn(usize) -> String| (0..n).map(make).collect::<String>();
    vec![
        ("nested div", "<div>".repeat(n)),
        (
            "nested div, closed",
            "<div>".repeat(n) + "deep" + &"</div>".repeat(n),
        ),
        ("nested b", each(&|i| format!("<b id={i}>"))),
        (
            "formatting and paragraphs",
            each(&|i| format!("<b id={i}>")) + &"<p>x".repeat(n),
        ),
        (
            "formatting in paragraphs",
            each(&|i| format!("<p><b id={i}>x</p>")),
        ),
        ("nested templates", "<template>".repeat(n)),
        ("nested tables", "<table><tr><td>".repeat(n)),
        (
            "foster parents",
            "<table>".to_owned() + &"<b>x<tr>".repeat(n),
        ),
        ("links", "<a href=x>y".repeat(n)),
        (
            "attributes",
            format!("<p {}>text", each(&|i| format!("a{i}=x "))),
        ),
        (
            "quoted attributes",
            format!("<p {}>text", each(&|i| format!("a{i}='>'"))),
        ),
        (
            "one attribute",
            format!("<p title='{}'>text", "x ".repeat(n)),
        ),
        ("unclosed tags", "<a ".repeat(n)),
        ("unclosed comments", "<!--".repeat(n)),
        ("unclosed ends", "</a ".repeat(n)),
        ("less than", "<".repeat(n)),
        ("script starts", "<script>".repeat(n)),
        ("ampersands", "&amp".repeat(n)),
        ("line breaks", "<br>".repeat(n)),
        ("line breaks and text", "<br> <br>x".repeat(n)),
        ("paragraphs", "<p>Some text, with a comma.".repeat(n)),
        ("short paragraphs", "<p>x".repeat(n)),
        ("divs", "<div>Some text, with a comma.</div>".repeat(n)),
        ("list items", "<ul>".to_owned() + &"<li>x".repeat(n)),
        ("definitions", "<dt>a<dd>b".repeat(n)),
        ("rows", "<table>".to_owned() + &"<tr><td>a<td>b".repeat(n)),
        ("spans", "<span>x</span>".repeat(n)),
        ("images", "<img src=x>".repeat(n)),
        (
            "noscript images",
            "<img src=x><noscript><img src=y></noscript>".repeat(n),
        ),
        ("fonts", "<font>x</font>".repeat(n)),
        ("headings", "<h1>x</h1>".repeat(n)),
        ("misnested", "<a><b><p></a></b>".repeat(n)),
        ("svg", "<svg><path d=x>".repeat(n)),
        ("select", "<select><option>".repeat(n)),
        ("frames", "<frameset>".repeat(n)),
        ("forms", "<form><input><button>".repeat(n)),
        ("bodies", "<body id=x><html lang=y>".repeat(n)),
        ("metas", "<meta name=x content=y>".repeat(n)),
        (
            "sections of twenty",
            ("<div>".repeat(20) + "Some text, with a comma." + &"</div>".repeat(20)).repeat(n / 20),
        ),
    ]
}

#[test]
fn hostile_pages_take_bounded_time() {
    const N: usize = 100_000;
    for (name, page) in hostile(N) {
        let start = Instant::now();
        let text = readable_text(&page);
        let took = start.elapsed();
        // Linear work on a few megabytes takes about a second; what is square here takes minutes.
        assert!(took < Duration::from_secs(30), "{name}: {took:?}");
        assert!(text.len() <= page.len(), "{name}: {} bytes", text.len());
    }
}

#[test]
fn a_page_too_deep_for_a_tree_gives_its_text() {
    let page = format!(
        "<title>not</title><p>one &amp; <b>two</b><script>no</script>{}<ul><li>three</ul>",
        "<div>".repeat(100_000)
    );
    assert_eq!(readable_text(&page), "one & two\n\n- three");
}

/// Cuts, repeats and overwrites at random places.
fn mutated(page: &str, edits: &[(usize, usize, Edit)]) -> String {
    let mut page = page.to_owned();
    for (at, length, edit) in edits {
        let start = page.floor_char_boundary(at % (page.len() + 1));
        let end = page.floor_char_boundary((start + length).min(page.len()));
        match edit {
            Edit::Cut => page.replace_range(start..end, ""),
            Edit::Repeat => {
                let piece = page[start..end].to_owned();
                page.insert_str(end, &piece);
            }
            Edit::Insert(text) => page.insert_str(start, text),
        }
    }
    page
}

#[derive(Clone, Debug)]
enum Edit {
    Cut,
    Repeat,
    Insert(String),
}

fn edits() -> impl Strategy<Value = Vec<(usize, usize, Edit)>> {
    let pieces = prop::sample::select(vec![
        "<",
        ">",
        "\"",
        "'",
        "&",
        "&#",
        "<!--",
        "-->",
        "<table>",
        "</table>",
        "<svg>",
        "<template>",
        "</p>",
        "<p>",
        "<br>",
        "</div>",
        "<div class=hidden>",
        "<pre>",
        "<select>",
        "<frameset>",
        "</body>",
        "</html>",
        "<html>",
        "<noscript>",
        "<img>",
        "\0",
        "<a href=",
        "<math>",
        "<li>",
        "<td>",
        "<textarea>",
        "<plaintext>",
        "\u{202e}",
        "<![CDATA[",
    ]);
    let edit = prop_oneof![
        Just(Edit::Cut),
        Just(Edit::Repeat),
        pieces.prop_map(|piece| Edit::Insert(piece.to_owned())),
        ".{0,8}".prop_map(Edit::Insert),
    ];
    prop::collection::vec((any::<usize>(), 0_usize..400, edit), 1..40)
}

const PAGE: &str = r#"<!DOCTYPE html><html><head><title>Of lamps</title><style>p { color: red }</style></head><body>
<nav><ul><li><a href="/">Home</a><li><a href="/all">All</a></ul></nav><script>if (a < b && c > d) { run("</p>") }</script>
<article><h1>Lamps &amp; light</h1><p>A lamp burns oil, and its <b>wick</b> is trimmed each evening, so that it doesn&#39;t smoke.<p
hidden>Nobody sees this.</p><ul><li>oil<li>wick<ol><li>cotton<li>wool</ol></ul><pre>  kept
    as it is</pre><table><tr><th>oil<th>hours<tr><td>whale<td>9</table>One line,<br>and another, which is longer than the first
one, as lines of this kind are wont to be in pages that were written by hand and never tidied.
<div style="display: none">nor this</div><div aria-hidden="true">nor that</div><blockquote>Said&nbsp;the keeper.</blockquote>
</article><!-- a comment --><footer>1887, all rights reserved</footer></body></html>"#;

#[test]
fn a_page_is_written_as_a_person_reads_it() {
    assert_eq!(
        readable_text(PAGE),
        "Lamps & light\n\nA lamp burns oil, and its wick is trimmed each evening, so that it doesn't smoke.\n\n- oil\n- wick\n1. \
         cotton\n2. wool\n\n  kept\n    as it is\n\noil\thours\nwhale\t9\n\nOne line,\nand another, which is longer than the first \
         one, as lines of this kind are wont to be in pages that were written by hand and never tidied.\n\nSaid\u{a0}the keeper."
    );
}

#[test]
fn a_page_without_an_article_gives_what_its_body_shows() {
    for (page, text) in [
        ("", ""),
        ("   \n ", ""),
        ("just text", "just text"),
        ("<p>a<p>b", "a\n\nb"),
        ("<b>bold</b>face", "boldface"),
        ("x<!-- no -->y", "xy"),
        ("<li>one<li>two", "- one\n- two"),
        (
            "<ul><li><p>one</p><li></li><li>three</ul>",
            "- one\n\n- three",
        ),
        ("<nav>menu</nav><p>text</p><footer>imprint</footer>", "text"),
        (
            "<p hidden>no</p><p style='Visibility:hidden'>no</p><p style='color:red'>yes",
            "yes",
        ),
        (
            "&lt;tag&gt; &#x1F600; &nope; &eacute;",
            "<tag> \u{1F600} &nope; é",
        ),
        ("<p dir=rtl>שלום <b>עולם</b></p>", "שלום עולם"),
        ("<pre>\n  a\n\n\tb  \n</pre>c", "  a\n\n\tb  \n\nc"),
        (
            "<textarea>no</textarea><select><option>no</select><button>no</button>yes",
            "yes",
        ),
        ("a<br>b<br><br>c<br><br><br>d", "a\nb\n\nc\n\nd"),
        (
            "<table><tr><td>1</td><td></td><td><p>2</p></table>",
            "1\n\n2",
        ),
        ("\0<\u{fffd}\u{1}>&#0;", "<\u{fffd}\u{1}>\u{fffd}"),
        ("<noscript>Switch it on!</noscript>on", "on"),
    ] {
        assert_eq!(readable_text(page), text, "{page:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn damaged_pages_are_read_quickly(edits in edits()) {
        let page = mutated(PAGE, &edits);
        let start = Instant::now();
        let text = readable_text(&page);
        prop_assert!(start.elapsed() < Duration::from_secs(5));
        // No more than the page has, but for the marks of lists.
        prop_assert!(text.len() < 4 * page.len() + 100);
    }

    #[test]
    fn any_string_is_read(page in ".{0,300}") {
        readable_text(&page);
    }
}

#[test]
fn damaged_published_pages_are_read() {
    let pages = pages("damaged_published_pages_are_read");
    let mut runner = TestRunner::deterministic();
    let edits = edits();
    for (name, source, _) in pages.iter().filter(|(_, source, _)| source.len() < 50_000) {
        for _ in 0..20 {
            let edits = edits.new_tree(&mut runner).expect("edits").current();
            let start = Instant::now();
            readable_text(&mutated(source, &edits));
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "{name}: {edits:?}"
            );
        }
    }
}
