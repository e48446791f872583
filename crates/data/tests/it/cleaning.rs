//! Cleaning of text through the public API.

use llm_data::{
    CleanConfig, CleanReport, Cleaned, Cleaner, Document, DocumentFilters, DocumentReason,
    DuplicateFilters, LineFilters, LineReason, NormalForm, RepetitionFilters, TextStats,
};
use proptest::prelude::*;

use crate::real_files::data_dir;

fn document(text: &str) -> Document {
    Document {
        text: text.to_owned(),
        origin: "here:1".to_owned(),
        continues: false,
    }
}

fn cleaner(config: &CleanConfig) -> Cleaner {
    Cleaner::new(config.clone()).expect("a valid configuration")
}

/// What is left of a single document, or why nothing is.
fn clean(config: &CleanConfig, text: &str) -> Result<String, DocumentReason> {
    outcome(cleaner(config).clean(document(text)))
}

fn outcome(cleaned: Cleaned) -> Result<String, DocumentReason> {
    match cleaned {
        Cleaned::Kept(document) => Ok(document.text),
        Cleaned::Removed { reason, .. } => Err(reason),
    }
}

#[track_caller]
fn check(config: &CleanConfig, text: &str, expected: Result<&str, DocumentReason>) {
    assert_eq!(clean(config, text), expected.map(str::to_owned), "{text:?}");
}

#[test]
fn white_space_is_tidied_and_indentation_stays() {
    let tidy = CleanConfig {
        collapse_spaces: true,
        trim: true,
        max_blank_lines: Some(1),
        ..CleanConfig::default()
    };
    check(
        &tidy,
        "\n \n  a  b\u{a0}\u{3000}c\td  \n\n\n\n\te \n\n",
        Ok("  a b c d\n\n\te"),
    );
    check(
        &CleanConfig {
            max_blank_lines: Some(0),
            ..CleanConfig::default()
        },
        "a \n\n \nb\n",
        Ok("a \nb"),
    );
    check(
        &CleanConfig {
            trim: true,
            ..CleanConfig::default()
        },
        "a \n\n\n\nb",
        Ok("a\n\n\n\nb"),
    );
    check(
        &CleanConfig {
            collapse_spaces: true,
            ..CleanConfig::default()
        },
        "\n  a  b  \n\n",
        Ok("\n  a b \n\n"),
    );
    let mut cleaner = cleaner(&tidy);
    cleaner.clean(document("a  b \n\n\nc"));
    assert_eq!(cleaner.report().characters.white_space, 3);
}

#[test]
fn markers_cut_a_licence_off() {
    let config = CleanConfig {
        start_markers: vec!["*** START OF".to_owned()],
        end_markers: vec!["*** END OF".to_owned()],
        ..CleanConfig::default()
    };
    let text = "licence\n*** END OF before\n*** START OF this ***\nthe text\n*** START OF again\n*** END OF it\nmore licence";
    check(&config, text, Ok("the text\n*** START OF again\n"));
    check(&config, "the text\n*** END OF it\nmore", Ok("the text\n"));
    check(
        &config,
        "about *** START OF\nthe text",
        Ok("about *** START OF\nthe text"),
    );
    check(
        &config,
        "licence\n*** START OF this ***",
        Err(DocumentReason::Empty),
    );
    let mut cleaner = cleaner(&config);
    cleaner.clean(document(text));
    assert_eq!(cleaner.report().lines.count(LineReason::OutsideMarkers), 5);
}

#[test]
fn a_published_book_loses_its_licence() {
    let Some(folder) = data_dir("a_published_book_loses_its_licence") else {
        return;
    };
    let file = std::fs::File::open(folder.join("html/dirty-text-latin1-crlf-boilerplate.txt.gz"))
        .expect("a file");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).expect("gzip");
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    assert!(text.contains("\r\n") && text.contains("START: FULL LICENSE"));
    let clean = clean(&CleanConfig::recommended(), &text).expect("a book");
    assert!(clean.starts_with("Produced by an anonymous Project Gutenberg volunteer"));
    assert!(
        clean.ends_with("at\nWalsall, where I believe that she has met with considerable success."),
        "{:?}",
        &clean[clean.len() - 200..]
    );
    assert!(!clean.contains('\r') && !clean.contains("\n\n\n\n"));
}

#[test]
fn lines_are_removed_for_their_reasons() {
    let config = CleanConfig {
        lines: LineFilters {
            min_chars: 3,
            max_chars: Some(20),
            max_non_letters: 0.5,
            max_documents: Some(2),
        },
        ..CleanConfig::default()
    };
    let text = "  ab \n\nlonger than twenty letters\n--- 12 ---\nyes, this\nयह हिन्दी है";
    let mut cleaner = cleaner(&config);
    for n in 0..3 {
        let cleaned = cleaner.clean(document(&format!("{text}\nnumber {}", "x".repeat(n))));
        let rest = format!("number {}", "x".repeat(n));
        let known = if n < 2 {
            "yes, this\nयह हिन्दी है\n"
        } else {
            ""
        };
        assert_eq!(outcome(cleaned), Ok(format!("\n{known}{rest}")));
    }
    let lines = &cleaner.report().lines;
    for (reason, count) in [
        (LineReason::TooShort, 3),
        (LineReason::TooLong, 3),
        (LineReason::NonLetters, 3),
        (LineReason::Repeated, 2),
    ] {
        assert_eq!(lines.count(reason), count, "{reason:?}");
    }
}

#[test]
fn a_line_twice_in_a_document_is_in_one_document() {
    let config = CleanConfig {
        lines: LineFilters {
            max_documents: Some(1),
            ..LineFilters::default()
        },
        ..CleanConfig::default()
    };
    let mut cleaner = cleaner(&config);
    assert_eq!(
        outcome(cleaner.clean(document("refrain\na\nrefrain"))),
        Ok("refrain\na\nrefrain".to_owned())
    );
    assert_eq!(
        outcome(cleaner.clean(document(" refrain\nb\nrefrain"))),
        Ok("b".to_owned())
    );
}

#[test]
fn documents_are_removed_for_their_reasons() {
    let with = |documents: DocumentFilters| CleanConfig {
        documents,
        ..CleanConfig::default()
    };
    let base = DocumentFilters::default;
    let cases = [
        (
            DocumentFilters {
                min_chars: 5,
                ..base()
            },
            "éàüöß",
            "éàüö",
            DocumentReason::TooShort,
        ),
        (
            DocumentFilters {
                max_chars: Some(5),
                ..base()
            },
            "éàüöß",
            "éàüößx",
            DocumentReason::TooLong,
        ),
        (
            DocumentFilters {
                min_words: 3,
                ..base()
            },
            "a b\nc",
            "a bc",
            DocumentReason::TooShort,
        ),
        (
            DocumentFilters {
                max_words: Some(2),
                ..base()
            },
            "a bc",
            "a b c",
            DocumentReason::TooLong,
        ),
        (
            DocumentFilters {
                min_mean_word: 2.0,
                ..base()
            },
            "a bcd",
            "a bc",
            DocumentReason::MeanWord,
        ),
        (
            DocumentFilters {
                max_mean_word: Some(2.0),
                ..base()
            },
            "a bcd",
            "ab bcd",
            DocumentReason::MeanWord,
        ),
        (
            DocumentFilters {
                max_non_alphanumeric: 0.5,
                ..base()
            },
            "a 1 ,;",
            "a ,;",
            DocumentReason::NonAlphanumeric,
        ),
        (
            DocumentFilters {
                max_non_alphanumeric: 0.0,
                ..base()
            },
            "हिन्दी",
            "हिन्दी!",
            DocumentReason::NonAlphanumeric,
        ),
        (
            DocumentFilters {
                scripts: vec!["Latin".to_owned()],
                min_script_share: 0.5,
                ..base()
            },
            "ab где, 12: é",
            "ab где, 12:",
            DocumentReason::Script,
        ),
        (
            DocumentFilters {
                scripts: vec!["Han".to_owned(), "Hiragana".to_owned()],
                min_script_share: 1.0,
                ..base()
            },
            "東京へ 2020",
            "東京へa",
            DocumentReason::Script,
        ),
    ];
    for (filters, kept, removed, reason) in cases {
        check(&with(filters.clone()), kept, Ok(kept));
        check(&with(filters), removed, Err(reason));
    }
    check(
        &with(DocumentFilters {
            scripts: vec!["Latin".to_owned()],
            ..base()
        }),
        "12",
        Ok("12"),
    );
    check(
        &CleanConfig::default(),
        " \n\u{3000}",
        Err(DocumentReason::Empty),
    );
}

#[test]
fn documents_that_repeat_themselves_are_removed() {
    let off = || RepetitionFilters {
        min_words: 1,
        ..RepetitionFilters::default()
    };
    // Each text has exactly the share that is allowed, or one step more.
    let cases = [
        // One line of four, three characters of twelve.
        (
            RepetitionFilters {
                max_duplicate_lines: 0.25,
                ..off()
            },
            "aaa\nbbb\n\nccc\n aaa ",
            "aaa\nbbb\naaa",
            DocumentReason::DuplicateLines,
        ),
        (
            RepetitionFilters {
                max_duplicate_line_chars: 0.25,
                ..off()
            },
            "aaa\nbbb\nccc\naaa",
            "aaa\nbbb\ncc\naaa",
            DocumentReason::DuplicateLines,
        ),
        (
            RepetitionFilters {
                max_duplicate_paragraphs: 0.25,
                ..off()
            },
            "a\na\n\nb\n\n\nc\n \na\na",
            "a\na\n\nb\n\na\na",
            DocumentReason::DuplicateParagraphs,
        ),
        (
            RepetitionFilters {
                max_duplicate_paragraph_chars: 0.25,
                ..off()
            },
            "aaa\n\nbbb\n\nccc\n\naaa",
            "aaa\n\nbbb\n\ncc\n\naaa",
            DocumentReason::DuplicateParagraphs,
        ),
        // Two times two characters of eight.
        (
            RepetitionFilters {
                max_top_ngrams: vec![0.5],
                ..off()
            },
            "a b c d a b e f",
            "a b c d a b e",
            DocumentReason::TopNgram,
        ),
        (
            RepetitionFilters {
                max_top_ngrams: vec![1.0, 0.6],
                ..off()
            },
            "a b c d a b c x y z",
            "a b c d a b c x y",
            DocumentReason::TopNgram,
        ),
        // Five characters of twenty: the second run of five overlaps the first and counts no more.
        (
            RepetitionFilters {
                max_duplicate_ngrams: vec![0.25],
                ..off()
            },
            "a b c d e f 1 2 3 4 5 6 7 8 a b c d e f",
            "a b c d e f 1 2 3 4 5 6 7 a b c d e f",
            DocumentReason::DuplicateNgrams,
        ),
        (
            RepetitionFilters {
                max_duplicate_ngrams: vec![1.0, 0.3],
                ..off()
            },
            "a b c d e f 1 2 3 4 5 6 7 8 a b c d e f",
            "a b c d e f 1 2 3 4 5 6 7 a b c d e f",
            DocumentReason::DuplicateNgrams,
        ),
    ];
    for (repetition, kept, removed, reason) in cases {
        let config = CleanConfig {
            repetition,
            ..CleanConfig::default()
        };
        check(&config, kept, Ok(kept));
        check(&config, removed, Err(reason));
        let long_only = CleanConfig {
            repetition: RepetitionFilters {
                min_words: 100,
                ..config.repetition
            },
            ..CleanConfig::default()
        };
        check(&long_only, removed, Ok(removed));
    }
}

#[test]
fn duplicates_of_earlier_documents_are_removed() {
    let exact = CleanConfig {
        duplicates: DuplicateFilters {
            exact: true,
            ..DuplicateFilters::default()
        },
        ..CleanConfig::default()
    };
    let near = CleanConfig {
        duplicates: DuplicateFilters {
            near: true,
            ..DuplicateFilters::default()
        },
        ..CleanConfig::default()
    };
    let words: Vec<String> = (0..100).map(|n| format!("word{n}")).collect();
    let text = words.join(" ");
    let other = words
        .iter()
        .rev()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    for (config, variant, reason) in [
        (
            &exact,
            words.join("\n "),
            Some(DocumentReason::ExactDuplicate),
        ),
        (&exact, text.to_uppercase(), None),
        (
            &near,
            words.join(", ").to_uppercase(),
            Some(DocumentReason::NearDuplicate),
        ),
        // Five of ninety-six shingles differ.
        (
            &near,
            text.replace("word50", "else"),
            Some(DocumentReason::NearDuplicate),
        ),
        (&near, other, None),
    ] {
        let mut cleaner = cleaner(config);
        assert!(outcome(cleaner.clean(document(&text))).is_ok());
        let second = outcome(cleaner.clean(document(&variant)));
        assert_eq!(second.err(), reason);
        assert_eq!(
            cleaner.report().documents_out,
            2 - u64::from(reason.is_some())
        );
    }
    // Without words there is nothing to compare.
    let mut cleaner = cleaner(&near);
    assert!(
        outcome(cleaner.clean(document("…"))).is_ok()
            && outcome(cleaner.clean(document("!"))).is_ok()
    );
}

#[test]
fn configurations_are_judged_by_key() {
    let set = |table: &str| {
        let value: serde_json::Value = serde_json::from_str(table).expect("JSON");
        serde_json::from_value::<CleanConfig>(value).expect("a table")
    };
    for (table, key) in [
        (r#"{"start_markers": [" "]}"#, "start_markers"),
        (r#"{"end_markers": ["a\nb"]}"#, "end_markers"),
        (
            r#"{"lines": {"max_non_letters": 1.5}}"#,
            "lines.max_non_letters",
        ),
        (
            r#"{"lines": {"min_chars": 5, "max_chars": 4}}"#,
            "lines.max_chars",
        ),
        (r#"{"lines": {"max_documents": 0}}"#, "lines.max_documents"),
        (
            r#"{"documents": {"min_words": 5, "max_words": 4}}"#,
            "documents.max_words",
        ),
        (
            r#"{"documents": {"min_mean_word": -1}}"#,
            "documents.min_mean_word",
        ),
        (
            r#"{"documents": {"min_mean_word": 3, "max_mean_word": 2}}"#,
            "documents.max_mean_word",
        ),
        (
            r#"{"documents": {"scripts": ["Elvish"]}}"#,
            "documents.scripts",
        ),
        (
            r#"{"repetition": {"max_top_ngrams": [1, 1, 1, 1]}}"#,
            "repetition.max_top_ngrams",
        ),
        (
            r#"{"repetition": {"max_duplicate_ngrams": [-0.1]}}"#,
            "repetition.max_duplicate_ngrams",
        ),
        (
            r#"{"repetition": {"max_duplicate_lines": -0.1}}"#,
            "repetition.max_duplicate_lines",
        ),
        (
            r#"{"duplicates": {"threshold": 0}}"#,
            "duplicates.threshold",
        ),
        (
            r#"{"duplicates": {"shingle_words": 0}}"#,
            "duplicates.shingle_words",
        ),
        (
            r#"{"duplicates": {"permutations": 8}}"#,
            "duplicates.permutations",
        ),
    ] {
        let error = set(table).validate().expect_err(table).to_string();
        assert!(
            error.starts_with(&format!("data.clean.{key} holds ")),
            "{error}"
        );
    }
    let unknown = serde_json::from_str::<CleanConfig>(r#"{"trimm": true}"#)
        .expect_err("an unknown key")
        .to_string();
    assert!(unknown.contains("trimm"), "{unknown}");
    for config in [CleanConfig::default(), CleanConfig::recommended()] {
        config.validate().expect("valid");
        let json = serde_json::to_string(&config).expect("JSON");
        assert_eq!(
            serde_json::from_str::<CleanConfig>(&json).expect("a table"),
            config
        );
    }
    assert!(CleanConfig::default().is_off() && !CleanConfig::recommended().is_off());
    assert!(
        set(r#"{"duplicates": {"permutations": 64}, "repetition": {"min_words": 9}}"#).is_off()
    );
    assert!(!set(r#"{"normal_form": "nfc"}"#).is_off());
}

#[test]
fn the_report_is_a_table_with_examples() {
    let mut cleaner = cleaner(&CleanConfig::recommended());
    for text in [
        "Tea  and cake. ",
        "tea\u{200b}",
        "Tea and\ncake.",
        "-- ** -- \u{1b}[31m",
        "cafe\u{301}",
    ] {
        cleaner.clean(document(text));
    }
    let report = cleaner.report();
    assert_eq!(
        report.to_string(),
        "                                        in             out    kept\n\
         documents                                5               3   60.0%\n\
         bytes                                   54              21   38.9%\n\
         \n\
         characters changed\n  \
           normal form                            2\n  \
           control characters                     2\n  \
           white space                            2\n\
         \n\
         documents removed                        2\n  \
           too many symbols                       1\n    \
             here:1: -- ** -- [31m\n  \
           duplicate                              1\n    \
             here:1: Tea and cake.\n"
    );
    let json = serde_json::to_string(report).expect("JSON");
    assert_eq!(
        &serde_json::from_str::<CleanReport>(&json).expect("a report"),
        report
    );
}

/// Documents that meet every filter.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        "[a-c]{1,2}",
        "\\PC{1,3}",
        Just("e\u{301}\u{200b}".to_owned()),
        Just("\n\n".to_owned())
    ];
    let text = prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "));
    prop::collection::vec(text, 0..30)
}

fn everything() -> CleanConfig {
    let mut config = CleanConfig::recommended();
    config.lines = LineFilters {
        min_chars: 2,
        max_chars: Some(100),
        max_non_letters: 0.7,
        max_documents: Some(2),
    };
    config.repetition.min_words = 10;
    config.documents.scripts = vec!["Latin".to_owned()];
    config
}

proptest! {
    #[test]
    fn nothing_changes_by_default(text in "\\PC*|.*|[ \\n\\r]*") {
        let expected = match text.trim().is_empty() {
            true => Err(DocumentReason::Empty),
            false => Ok(text.clone()),
        };
        prop_assert_eq!(clean(&CleanConfig::default(), &text), expected);
    }

    #[test]
    fn clean_text_stays_as_it_is(text in "[a \\n\\t\\u{a0}\u{301}é\\r]{0,40}|\\PC*") {
        let config = CleanConfig { lines: everything().lines, ..CleanConfig::recommended() };
        if let Ok(once) = clean(&config, &text) {
            prop_assert_eq!(clean(&config, &once), Ok(once));
        }
    }

    #[test]
    fn batches_give_what_single_documents_give(texts in texts(), size in 1_usize..10) {
        let config = everything();
        let (mut single, mut batched) = (cleaner(&config), cleaner(&config));
        let one_by_one: Vec<_> = texts.iter().map(|text| single.clean(document(text))).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
        let in_batches: Vec<_> = pool.install(|| {
            let batches = texts.chunks(size);
            batches.flat_map(|batch| batched.clean_batch(batch.iter().map(|text| document(text)).collect())).collect()
        });
        prop_assert_eq!(one_by_one, in_batches);
        prop_assert_eq!(single.report(), batched.report());
        let report = single.report();
        prop_assert_eq!(report.documents_in, report.documents_out + report.documents.total());
    }
}

#[test]
fn normal_forms_are_counted() {
    let config = CleanConfig {
        normal_form: NormalForm::Nfkc,
        ..CleanConfig::default()
    };
    let mut cleaner = cleaner(&config);
    assert_eq!(
        outcome(cleaner.clean(document("ﬁne ２"))),
        Ok("fine 2".to_owned())
    );
    assert_eq!(cleaner.report().characters.normal_form, 2);
}

#[test]
fn statistics_count_what_is_there() {
    let mut stats = TextStats::default();
    for text in [
        "One line\n\n one line\none line\n",
        "Где é 1",
        "one\nline",
        "one line",
    ] {
        stats.add(text);
    }
    stats.add("\u{200b}\t\u{0}");
    let summary = stats.summary();
    assert_eq!(
        (summary.documents, summary.bytes, summary.chars),
        (5, 61, 55)
    );
    assert_eq!(
        (summary.words, summary.lines, summary.blank_lines),
        (15, 8, 1)
    );
    assert_eq!((summary.longest_line, summary.control_chars), (9, 2));
    assert_eq!(
        (summary.duplicate_lines, summary.duplicate_documents),
        (2.0 / 8.0, 0.2)
    );
    assert_eq!(
        summary
            .length_percentiles
            .iter()
            .map(|(&p, &n)| (p, n))
            .collect::<Vec<_>>(),
        [
            (0, 3),
            (1, 3),
            (5, 3),
            (25, 7),
            (50, 8),
            (75, 8),
            (95, 29),
            (99, 29),
            (100, 29)
        ]
    );
    assert_eq!(
        summary
            .scripts
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["Latin", "Cyrillic"]
    );
    assert!(
        (summary.scripts[1].1 - 3.0 / 39.0).abs() < 1e-9,
        "{:?}",
        summary.scripts
    );
    assert_eq!(
        summary.frequent_non_ascii,
        [('é', 1), ('Г', 1), ('д', 1), ('е', 1), ('\u{200b}', 1)]
    );
    let table = summary.to_string();
    // JSON keeps a share to its last digit but one.
    let json = serde_json::to_string(&summary).expect("JSON");
    let read: llm_data::TextSummary = serde_json::from_str(&json).expect("a summary");
    assert_eq!(read.to_string(), table);
    for line in [
        "documents                                5",
        "duplicate lines                     25.00%",
        "  median                                 8",
        "  U+00E9   é                             1",
    ] {
        assert!(
            table.lines().any(|found| found == line),
            "{line:?} in\n{table}"
        );
    }
    assert_eq!(TextStats::default().summary().length_percentiles.len(), 0);
}
