//! `llm chat`: templates, conversations, and what is refused.

use crate::Place;
use crate::generate::place;

const ANSWER: [&str; 6] = [
    "--strategy",
    "greedy",
    "--max-new-tokens",
    "8",
    "--model",
    "m",
];

/// A model whose template needs no characters but those of its tokenizer.
fn talking() -> Place {
    let (place, _) = place();
    // As many published ones do, it wants the two to take turns.
    let template =
        "{% for m in messages %}{% if m.role != ['user', 'assistant'][loop.index0 % 2] %}
        {{ raise_exception('not in turn') }}{% endif %}{{ m.content }}\n{% endfor %}";
    place.write("m/chat_template.jinja", template);
    place
}

fn chat(more: &[&'static str]) -> Vec<&'static str> {
    [&["chat"], &ANSWER[..], more].concat()
}

#[test]
fn every_line_is_answered() {
    let place = talking();
    let ended = place.run_with(&chat(&["--quiet"]), "abc\n\ncba\n");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let (alone, first) = (place.ok(&chat(&["--message", "abc"])), ended.stdout);
    assert!(first.starts_with(&alone), "{first:?} begins with {alone:?}");
    assert!(first.len() > alone.len());
}

#[test]
fn a_conversation_is_remembered_and_cut_to_the_context() {
    let place = talking();
    // 80 tokens of context, 22 for each message and 8 for each answer.
    let ended = place.run_with(
        &chat(&[]),
        "abcabcabcabcabcabcabc\nabcabcabcabcabcabcabc\nabcabcabcabcabcabcabc\nabc\n",
    );
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("older messages are forgotten"),
        "{}",
        ended.stderr
    );
    let long = "a".repeat(100);
    let ended = place.run_with(&chat(&["--quiet"]), long);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("say it in fewer words"),
        "{}",
        ended.stderr
    );
}

#[test]
fn templates_come_from_the_model_by_name_or_from_a_file() {
    let (place, _) = place();
    let show = |more: &[&'static str]| {
        let show = ["--message", "ab", "--show-prompt", "--quiet"];
        place.ok(&chat(&[&show, more].concat()))
    };
    place.write(
        "mine.jinja",
        "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}",
    );
    assert_eq!(show(&["--template", "mine.jinja"]), "userab\n");
    let system = ["--template", "mine.jinja", "--system", "Be"];
    assert_eq!(show(&system), "systemBeuserab\n");
    // The built-in ones have characters that this tokenizer has not.
    let plain = chat(&["--message", "ab", "--quiet"]);
    place.refused(&plain, 1, &["the character ':'"]);
    place.write("m/chat_template.jinja", "own{{ messages[0].content }}");
    assert_eq!(show(&[]), "ownab\n");
    // It goes with the model.
    place.ok(&["convert", "m", "m.gguf", "--to", "gguf"]);
    place.ok(&["convert", "m.gguf", "back", "--to", "hf"]);
    assert_eq!(
        place.read("back/chat_template.jinja"),
        "own{{ messages[0].content }}"
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let (place, _) = place();
    place.refused(
        &chat(&["--template", "none"]),
        2,
        &["--template none", "chatml"],
    );
    place.refused(
        &chat(&["--template", "none.jinja"]),
        1,
        &["none.jinja: cannot read"],
    );
    place.write("bad.jinja", "a\n{% if %}");
    place.refused(&chat(&["--template", "bad.jinja"]), 1, &["bad.jinja", "2"]);
    place.write("no.jinja", "{{ raise_exception('not today') }}");
    let message = ["--template", "no.jinja", "--message", "a"];
    place.refused(&chat(&message), 1, &["not today"]);
    let several = ["--set", "generate.num_return_sequences=2"];
    place.refused(
        &[&["chat", "--model", "m"], &several[..]].concat(),
        2,
        &["one answer"],
    );
    place.refused(&["chat"], 2, &["--model"]);
}
