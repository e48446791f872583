//! Every format, as it should be, and as people have it.

use std::path::Path;

use llm_data::{DataConfig, Format, Source};

use crate::{Folder, fails_as, field, read_as, skipping};

#[track_caller]
fn check(source: &Path, text_field: &str, expected: &[&str]) {
    let read = read_as(source, &field(text_field));
    assert_eq!(read.expect("a good source"), expected);
}

#[test]
fn markdown_is_one_document() {
    let folder = Folder::new();
    let text = "# One\n<|endoftext|>\r\n*two*\n";
    for name in ["a.md", "b.markdown"] {
        check(
            &folder.file(name, text),
            "text",
            &["# One\n<|endoftext|>\n*two*\n"],
        );
    }
}

#[test]
fn of_a_page_the_text_is_taken() {
    let folder = Folder::new();
    let sentence =
        "This is a sentence of an article that is long enough to be one, with commas, and more. ";
    let page = format!(
        "<html><head><title>T</title><style>p {{}}</style></head><body><nav><a href=x>menu</a></nav>\
         <article><p>{0}</p><p>caf&eacute; &amp; {0}</p></article><script>var x;</script></body></html>",
        sentence.repeat(6)
    );
    for name in ["a.html", "b.htm", "c.xhtml"] {
        let text = read_as(folder.file(name, &page), &DataConfig::default()).expect("a page");
        assert_eq!(text.len(), 1);
        assert!(text[0].contains("caf\u{e9} & This is"), "{}", text[0]);
        assert!(
            !text[0].contains("var x") && !text[0].contains('<'),
            "{}",
            text[0]
        );
    }
    fails_as(
        &folder.file("d.html", ""),
        &DataConfig::default(),
        &["no text"],
    );
}

#[test]
fn json_lines_may_have_paths_and_bare_strings() {
    let folder = Folder::new();
    let nested = folder.file(
        "a.ndjson",
        "{\"meta\": {\"body\": \"one\"}, \"body\": 1}\n{\"meta.body\": \"two\"}\n",
    );
    check(&nested, "meta.body", &["one", "two"]);
    let strings = folder.file("b.jsonl", "\"one\"\n{\"text\": \"two\"}\n");
    check(&strings, "text", &["one", "two"]);
    fails_as(
        &strings,
        &field("body"),
        &["b.jsonl:1", "an object with the key `body`, found a string"],
    );
}

#[test]
fn json_is_a_list_or_values_one_after_the_other() {
    let folder = Folder::new();
    let file = |content: &str| folder.file("a.json", content);
    let objects = "{\"text\": \"one, ]} \\\" \\\\\", \"n\": [1, {\"a\": []}]} , \n {\"n\": \"[\", \"text\": \"two\"}";
    let expected = ["one, ]} \" \\", "two"];
    check(&file(&format!(" [ {objects} ] \n")), "text", &expected);
    check(
        &file(&format!("[{objects}][{{\"text\":\"three\"}}]")),
        "text",
        &["one, ]} \" \\", "two", "three"],
    );
    check(&file(&objects.replace(" , \n", "\n")), "text", &expected);
    check(&file("{\"text\": \"one\"}"), "text", &["one"]);
    check(
        &file("{\"text\": \"one\"}{\"text\": \"two\"}\n\n"),
        "text",
        &["one", "two"],
    );
    check(
        &file("[\"one\", \"\", \"two\"]\n\"three\""),
        "text",
        &["one", "two", "three"],
    );
    check(
        &file("\u{feff}[{\"a\": {\"b\": \"one\"}}]"),
        "a.b",
        &["one"],
    );
    check(
        &folder.gzip("b.json.gz", "[{\"text\": \"one\"}]"),
        "text",
        &["one"],
    );
    fails_as(&file("[]"), &field("text"), &["no text"]);
}

#[test]
fn what_is_wrong_in_json_is_named() {
    let folder = Folder::new();
    let check = |content: &str, parts: &[&str]| {
        let source = folder.file("a.json", content);
        fails_as(&source, &field("text"), parts);
    };
    check(
        "[\n{\"text\": \"x\"},\n{\"text\": 1}]",
        &["a.json:3: `text` must be a string"],
    );
    check(
        "[\n{\"text\": \"x\"}\n\n{\"text\": \"x\"}]",
        &["a.json:4: expected `,` or `]`", "found `{`"],
    );
    check(
        "[{\"text\": \"x\"},\n]",
        &["a.json:2: expected a value", "found `]`"],
    );
    check("[{\"text\": \"x\"},\n", &["a.json:2: the file ends inside"]);
    check("[{\"text\": \"x\"}", &["a.json:1: the file ends inside"]);
    check(
        "[\n{\"text\": \"x\"},\n{\"text\": \"x",
        &["a.json:3: the file ends inside"],
    );
    check(
        "[5]",
        &["a.json:1: expected an object with the key `text`, found a number"],
    );
    check("[[\"x\"]]", &["found a list"]);
    check("nonsense", &["a.json:1: not valid JSON"]);
    check("]", &["a.json:1: not valid JSON"]);
    check("{\"text\": 'x'}", &["a.json:1: not valid JSON"]);
    check("{\"body\": \"x\"}", &["no key `text`, only `body`"]);
    check("{]", &["not valid JSON"]);
}

#[test]
fn tables_name_their_columns() {
    let folder = Folder::new();
    let table = "\u{feff}id,Text ,note\r\n1,one,\r\n\r\n2,\"two, \"\"too\"\"\r\nand more\",x\r\n3,  \"not quoted\" ,x\r\n4,,x";
    let csv = folder.file("a.csv", table);
    check(
        &csv,
        "Text",
        &["one", "two, \"too\"\nand more", "  \"not quoted\" "],
    );
    check(&folder.zstd("a.csv.zst", table), "note", &["x", "x", "x"]);
    // Without a header the first row is a document.
    check(
        &csv,
        "#2",
        &[
            "Text ",
            "one",
            "two, \"too\"\nand more",
            "  \"not quoted\" ",
        ],
    );
    check(&folder.file("b.csv", "\"#2\",b\nx,y\n"), "#2", &["x"]);
    check(
        &folder.file("c.csv", "text\n\"one\ntwo\"\nthree"),
        "text",
        &["one\ntwo", "three"],
    );
    check(
        &folder.file("d.csv", "a,text\r1,x\r2,y\r"),
        "text",
        &["x", "y"],
    );

    fails_as(
        &csv,
        &field("body"),
        &["no column `body`, only `id`, `Text`, `note`", "\"#2\""],
    );
    for number in ["#4", "#0"] {
        fails_as(&csv, &field(number), &["no column `#", "only 3"]);
    }
    fails_as(&folder.file("e.csv", "\n\n"), &field("text"), &["no text"]);
    fails_as(
        &folder.file("f.csv", "id,text\n"),
        &field("text"),
        &["no text"],
    );
}

#[test]
fn tabs_part_fields_without_quotes() {
    let folder = Folder::new();
    let tsv = folder.file("a.tsv", "ham\t\"Hi\" he said\nspam\t\"Win\n");
    check(&tsv, "#2", &["\"Hi\" he said", "\"Win"]);
    check(
        &folder.file("b.tsv", "label\ttext\n1\tone\n"),
        "text",
        &["one"],
    );

    let quoted = folder.file("c.tsv", "id\ttext\n1\t\"one\ntwo\"\n");
    fails_as(&quoted, &field("text"), &["c.tsv:3: a row of 1 fields"]);
    let source = Source {
        format: Some(Format::Csv),
        ..Source::from(quoted)
    };
    let read = read_as(source, &field("text")).expect("quotes and tabs");
    assert_eq!(read, ["one\ntwo"]);
}

#[test]
fn what_is_wrong_in_a_table_is_named() {
    let folder = Folder::new();
    let check = |content: &str, parts: &[&str]| {
        fails_as(&folder.file("a.csv", content), &field("text"), parts);
    };
    check(
        "id,text\n1,x\n2\n",
        &["a.csv:3: a row of 1 fields where 2 are expected"],
    );
    check("id,text\n\n1,x,y\n", &["a.csv:3: a row of 3 fields"]);
    check(
        "id,text\n1,\"x\ny\"\n2,\"z\n3,w\n",
        &["a.csv:4: a quote", "never closed"],
    );
    check("id,\"text\n1,x", &["a.csv:1: a quote"]);
    fails_as(
        &folder.file("a.tsv", "id\ttext\n1\n"),
        &field("text"),
        &["a.tsv:2: a row of 1", "format = \"csv\""],
    );
}

#[test]
fn a_format_takes_the_place_of_extensions() {
    let folder = Folder::new();
    let file = folder.file("z/data", "{\"text\": \"one\"}");
    let jsonl = DataConfig {
        format: Some(Format::Jsonl),
        ..DataConfig::default()
    };
    assert_eq!(read_as(&*file, &jsonl).expect("a good line"), ["one"]);
    assert_eq!(
        read_as(folder.path().join("z"), &jsonl).expect("a good line"),
        ["one"]
    );
    let source = Source {
        format: Some(Format::Text),
        ..Source::from(&file)
    };
    assert_eq!(
        read_as(source, &jsonl).expect("text"),
        ["{\"text\": \"one\"}"]
    );
    let packed = folder.gzip("packed", "{\"text\": \"one\"}");
    assert_eq!(read_as(packed, &jsonl).expect("a good line"), ["one"]);
}

#[test]
fn packing_is_told_by_content_too() {
    let folder = Folder::new();
    check(&folder.gzip("a.txt", "packed"), "text", &["packed"]);
    check(&folder.zstd("b.txt", "packed"), "text", &["packed"]);
    check(&folder.zstd("c.txt.zst", "packed"), "text", &["packed"]);
    let mut two = std::fs::read(folder.gzip("one.gz", "one\n")).expect("a file");
    two.extend(std::fs::read(folder.gzip("two.gz", "two\n")).expect("a file"));
    check(&folder.file("d.txt.gz", &two), "text", &["one\ntwo\n"]);
    // One packing under the name of the other.
    fails_as(
        &folder.gzip("e.txt.zst", "x"),
        &field("text"),
        &["not zstd data"],
    );
}

#[test]
fn a_source_may_have_settings_of_its_own() {
    let folder = Folder::new();
    let source = Source {
        text_field: Some("body".to_owned()),
        ..Source::from(folder.file("a.jsonl", "{\"body\": \"one\"}"))
    };
    assert_eq!(
        read_as(source, &field("text")).expect("its own key"),
        ["one"]
    );
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_its_feature_parquet_is_refused() {
    let folder = Folder::new();
    let file = folder.file("a.parquet", "PAR1");
    fails_as(&file, &field("text"), &["feature `parquet`"]);
}

#[cfg(unix)]
#[test]
fn names_need_not_be_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = Folder::new();
    let name = OsStr::from_bytes(b"z/caf\xe9.txt");
    folder.file("z/other.txt", "two");
    std::fs::write(folder.path().join(name), "one more text").expect("a file");
    check(&folder.path().join("z"), "text", &["one more text", "two"]);
    let data = crate::of([folder.path().join("z")]);
    let prepare = || {
        llm_data::prepare(
            &data,
            &llm_tokenizer::TokenizerConfig::default(),
            folder.path(),
        )
    };
    assert!(!prepare().expect("good data").from_cache);
    assert!(prepare().expect("good data").from_cache);
}

#[cfg(unix)]
#[test]
fn a_forbidden_file_is_named_and_never_skipped() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let file = folder.file("a.txt", "x");
    fs::set_permissions(&file, Permissions::from_mode(0o000)).expect("a mode");
    if fs::read(&file).is_ok() {
        // The superuser may read everything; a folder under a file's name is what even they cannot read.
        fails_as(&file.join("b.txt"), &field("text"), &["cannot be read"]);
        return;
    }
    fails_as(&file, &field("text"), &["cannot be read"]);
    let data = DataConfig {
        on_error: llm_data::OnError::Skip,
        ..DataConfig::default()
    };
    fails_as(&file, &data, &["cannot be read"]);
}

#[test]
fn a_folder_takes_all_formats() {
    let folder = Folder::new();
    folder.file("z/a.csv", "text\n1\n");
    folder.file("z/b.json", "[\"2\"]");
    folder.file("z/c.jsonl", "\"3\"");
    folder.file("z/d.md", "4");
    folder.file("z/e.tsv", "text\n5\n");
    folder.zstd("z/f.txt.zst", "6");
    folder.file("z/g.pdf", "no");
    let (texts, skipped) = skipping(&folder.path().join("z"), &DataConfig::default());
    assert_eq!(texts, ["1", "2", "3", "4", "5", "6"]);
    assert!(skipped.is_empty(), "{skipped:?}");
}
