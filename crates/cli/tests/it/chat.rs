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

/// Runs a chat with these lines on stdin, which must end well, and returns stdout.
#[track_caller]
fn lines(place: &Place, more: &[&'static str], entered: &str) -> String {
    said(place, &chat(&[&["--quiet"], more].concat()), entered)
}

#[track_caller]
fn said(place: &Place, arguments: &[&str], entered: &str) -> String {
    let ended = place.run_with(arguments, entered);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout
}

#[test]
fn commands_do_what_help_says() {
    let place = talking();
    let help = lines(&place, &[], "/help\n");
    for name in [
        "/help", "/reset", "/system", "/set", "/save", "/load", "/stats", "/quit",
    ] {
        assert!(help.contains(name), "{help}");
    }
    let first = lines(&place, &[], "abc\n");
    assert_eq!(lines(&place, &[], "abc\n/quit\ncba\n"), first);
    assert_eq!(lines(&place, &[], "abc\n/reset\nabc\n"), first.repeat(2));
    assert_ne!(lines(&place, &[], "abc\nabc\n"), first.repeat(2));
    assert_eq!(lines(&place, &[], "/stats\n"), "no answer yet\n");
    let stats = lines(&place, &[], "abc\n/stats\n");
    for part in ["prompt ", "first token ", "8 tokens", "of 80 tokens used"] {
        assert!(stats.contains(part), "{part}: {stats}");
    }
    // A backslash and a fence make one message of several lines, and two slashes one that begins with a slash.
    let shown = |entered: &str| lines(&place, &["--show-prompt"], entered);
    assert_eq!(shown("ab\\\ncd\n"), "ab\ncd\n\n");
    assert_eq!(shown("\"\"\"\nab\n\ncd\n\"\"\"\n"), "ab\n\ncd\n\n");
    // The tokenizer has no slash.
    place.refused_with(
        &chat(&["--show-prompt", "--quiet"]),
        "//help\n",
        1,
        &["the character '/'"],
    );
    let template = "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}";
    place.write("m/chat_template.jinja", template);
    assert_eq!(
        shown("/system Be\na\n/system\na\n"),
        "systemBeusera\nusera\n"
    );
}

#[test]
fn settings_change_as_on_the_command_line() {
    let place = talking();
    let short = said(
        &place,
        &[
            "chat",
            "--model",
            "m",
            "--strategy",
            "greedy",
            "--max-new-tokens",
            "3",
            "--quiet",
        ],
        "abc\n",
    );
    let entered = "/set max_new_tokens=3\nabc\n";
    assert_eq!(lines(&place, &[], entered), short);
    let entered =
        "/set generate.max_new_tokens=3\n/set max_new_tokens=\n/set max_new_tokens=3\nabc\n";
    assert_eq!(lines(&place, &[], entered), short);
    let listed = lines(&place, &[], "/set strategy=top-k\n/set top_k=7\n/set\n");
    assert!(
        listed.contains("strategy = \"top-k\"") && listed.contains("top_k = 7"),
        "{listed}"
    );
    let refused = |entered: &str, code: i32, parts: &[&str]| {
        place.refused_with(&chat(&["--quiet"]), entered, code, parts);
    };
    refused("/set top_k", 2, &["/set", "KEY=VALUE"]);
    refused(
        "/set tempreature=1",
        2,
        &[
            "/set generate.tempreature=1",
            "did you mean `generate.temperature`",
        ],
    );
    refused(
        "/set temperature=0",
        2,
        &["/set generate.temperature=0", "generate.temperature is"],
    );
    refused("/set strategy=beam", 2, &["greedy", "mirostat"]);
    refused("/set train.seed=1", 2, &["only keys of the table generate"]);
    refused(
        "/set num_return_sequences=2",
        2,
        &["generate.num_return_sequences"],
    );
    refused("/set banned_tokens=[999]", 2, &["token 999", "61 tokens"]);
    refused("/hepl", 2, &["did you mean /help"]);
    refused("/load none.json", 1, &["none.json", "cannot read"]);
}

#[test]
fn a_saved_conversation_goes_on_as_if_it_had_not_stopped() {
    let place = talking();
    let told = lines(
        &place,
        &[],
        "abc\nbca\n/save talk.json\n/save talk.jsonl\ncab\n",
    );
    let saved: serde_json::Value = crate::json(&place.read("talk.json"));
    let messages = saved["messages"].as_array().unwrap();
    let roles: Vec<_> = messages
        .iter()
        .map(|m| m["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    assert_eq!(messages[2]["content"], "bca");
    assert_eq!(place.read("talk.jsonl").lines().count(), 4);
    // What the cache held makes no difference: here everything is computed at once.
    for file in ["talk.json", "talk.jsonl"] {
        let answer = lines(&place, &[], &format!("/load {file}\ncab\n"));
        assert!(
            answer.len() > 1 && told.ends_with(&answer),
            "{file}: {told:?} {answer:?}"
        );
    }
    let load = ["--load", "talk.json", "--message", "cab"];
    assert!(told.ends_with(&lines(&place, &load, "")));
    // Draws depend on the conversation alone, too.
    let drawn = |entered: &str| {
        let seed = ["--seed", "7", "--max-new-tokens", "8", "--quiet"];
        said(
            &place,
            &[&["chat", "--model", "m"], &seed[..]].concat(),
            entered,
        )
    };
    let told = drawn("abc\nbca\n/save drawn.json\ncab\n");
    let answer = drawn("/load drawn.json\ncab\n");
    assert!(
        answer.len() > 1 && told.ends_with(&answer),
        "{told:?} {answer:?}"
    );
    place.refused_with(
        &chat(&["--quiet", "--message", "a", "--load", "m/config.json"]),
        "",
        1,
        &["messages"],
    );
    let ended = place.run_with(&chat(&["--quiet"]), "abc\n/save talk.json\n");
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("talk.json") && ended.stderr.contains("exists"),
        "{}",
        ended.stderr
    );
    lines(&place, &[], "abc\n/save --force talk.json\n");
}

#[test]
fn only_new_tokens_are_computed_in_a_later_turn() {
    let place = talking();
    let stats = lines(&place, &[], "abcabcabcabc\nabc\n/stats\n");
    let line = stats
        .lines()
        .find(|line| line.starts_with("prompt"))
        .unwrap();
    let numbers: Vec<usize> = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    let [prompt, cached] = numbers[..] else {
        panic!("{line}")
    };
    // All but the line end after the last answer, which no pass has seen, the new message, and the answer's last token.
    assert!(prompt - cached <= 1 + 1 + 5, "{line}");
    assert!(cached >= 12, "{line}");
}

#[test]
fn the_end_of_the_context_is_what_was_asked_for() {
    let place = talking();
    let entered = "abcabcabcabcabcabcabc\n".repeat(3);
    let run = |overflow: &'static str| {
        place.run_with(&chat(&["--context-overflow", overflow]), entered.as_str())
    };
    let slid = run("slide");
    assert!(
        slid.code == 0 && slid.stderr.contains("forgotten"),
        "{}",
        slid.stderr
    );
    for overflow in ["stop", "error"] {
        let full = run(overflow);
        assert_eq!(full.code, 1, "{overflow}: {}", full.stderr);
        assert!(
            full.stderr.contains("/reset it"),
            "{overflow}: {}",
            full.stderr
        );
    }
    // One answer that outgrows it: cut, or an error.
    let long = |overflow: &'static str| {
        let mut arguments = vec!["chat", "--model", "m", "--message", "abc"];
        arguments.extend(["--max-new-tokens", "200", "--min-new-tokens", "200"]);
        arguments.extend(["--context-overflow", overflow]);
        place.run(&arguments)
    };
    let cut = long("stop");
    assert!(
        cut.code == 0 && cut.stderr.contains("the context of the model is 80"),
        "{}",
        cut.stderr
    );
    let failed = long("error");
    assert_eq!(failed.code, 1, "{}", failed.stderr);
}

/// A terminal, and the program on it.
#[cfg(unix)]
struct Screen {
    child: std::process::Child,
    keys: std::fs::File,
    shown: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

#[cfg(unix)]
impl Screen {
    fn new(place: &Place, arguments: &[&str]) -> Self {
        use std::io::Read;
        let size = nix::pty::Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = nix::pty::openpty(Some(&size), None).unwrap();
        let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("llm"))
            .args(arguments)
            .current_dir(place.path())
            .env("LLM_CACHE_DIR", place.path().join("cache"))
            .env("TERM", "xterm")
            .stdin(pty.slave.try_clone().unwrap())
            .stdout(pty.slave.try_clone().unwrap())
            .stderr(pty.slave)
            .spawn()
            .unwrap();
        let keys = std::fs::File::from(pty.master);
        let mut screen = keys.try_clone().unwrap();
        let shown = std::sync::Arc::<std::sync::Mutex<Vec<u8>>>::default();
        let shared = std::sync::Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = screen.read(&mut buffer) {
                let mut shown = shared.lock().unwrap();
                shown.extend(&buffer[..n]);
            }
        });
        Self { child, keys, shown }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Presses keys, then waits until the screen shows `expected` somewhere after what it showed before.
    #[track_caller]
    fn press(&mut self, keys: &str, expected: &str) {
        use std::io::Write;
        let before = self.text().len();
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.wait(before, expected);
    }

    #[track_caller]
    fn wait(&self, before: usize, expected: &str) {
        let start = std::time::Instant::now();
        while !self
            .text()
            .get(before..)
            .unwrap_or_default()
            .contains(expected)
        {
            assert!(
                start.elapsed().as_secs() < 60,
                "no {expected:?} in {:?}",
                self.text()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    let place = Place::new();
    place.ok(&["data", "synth", "--size", "30KB", "--output", "t.txt"]);
    // With a window an answer never ends by itself.
    place.ok(&[
        "train",
        "--data",
        "t.txt",
        "--output-dir",
        "r",
        "--max-steps",
        "1",
        "--set",
        "model.family=mistral",
        "--set",
        "model.window=8",
        "--set",
        "model.n_layers=1",
        "--set",
        "model.d_model=16",
        "--set",
        "model.n_heads=2",
        "--set",
        "model.max_seq_len=256",
        "--set",
        "tokenizer.vocab_size=300",
    ]);
    let endless = [
        "--max-new-tokens",
        "10000000",
        "--min-new-tokens",
        "10000000",
    ];
    let chat = ["chat", "--model", "r"];
    let mut screen = Screen::new(&place, &[&chat[..], &endless].concat());
    screen.wait(0, "Ctrl-D ends the chat");
    screen.wait(0, "> ");
    let before = screen.text().len();
    screen.press("Hello\r", "Hello");
    let start = std::time::Instant::now();
    while screen.text().len() < before + 400 {
        assert!(start.elapsed().as_secs() < 60, "{}", screen.text());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let before = screen.text().len();
    let id = screen.child.id().to_string();
    // However often.
    for _ in 0..3 {
        let mut kill = std::process::Command::new("kill");
        let sent = kill.args(["-s", "INT", &id]);
        assert!(sent.status().unwrap().success());
    }
    screen.wait(before, "(stopped)");
    screen.press("/stats\r", "tokens/s");
    screen.press("/set top_k=0\r", "error: /set generate.top_k=0");
    // At the prompt it first says how to quit.
    screen.press("\u{3}", "Ctrl-D or /quit ends the chat");
    screen.press("/hel\t\r", "list the commands");
    screen.press("/save t.json\r", "2 messages written");
    screen.press("\u{4}", "");
    assert_eq!(
        screen.child.wait().unwrap().code(),
        Some(0),
        "{}",
        screen.text()
    );
    let history = place.read("cache/chat_history");
    assert!(
        history.contains("Hello") && history.contains("/save t.json"),
        "{history}"
    );
}
