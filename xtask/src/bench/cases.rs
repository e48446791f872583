//! The work that is measured, who does it, and how far ahead ours should be.

use super::criterion::Id;
use super::materials::BPE_TOKENS;
use super::programs::{Example, Script, Work};
use super::quantities::Quantity;

/// One kind of work, done by our program and its peers in turn.
#[derive(Debug)]
pub(super) struct Case {
    /// What `--filter` is matched with.
    pub(super) name: &'static str,
    /// What is done, for the table.
    pub(super) title: &'static str,
    pub(super) ours: Work,
    /// Names of the peers, and how they do the work.
    pub(super) peers: Vec<(&'static str, Work)>,
    pub(super) goals: Vec<Goal>,
}

/// How many times better than a peer ours should be.
#[derive(Debug)]
pub(super) struct Goal {
    /// Distinguishes the goals of a case.
    pub(super) name: &'static str,
    pub(super) quantity: Quantity,
    /// How the names of the peers begin that this is about: of several, the best counts.
    pub(super) peer: &'static str,
    /// The least ratio, as [`Quantity::ratio`] counts it.
    pub(super) must: f64,
    /// The ratio to aim at.
    pub(super) aim: f64,
}

/// Minor page faults of a training step that are few enough.
pub(super) const MOST_PAGE_FAULTS: f64 = 50.0;

/// The programs of ours that some cases need, of those that `target` names.
pub(super) fn targets(
    cases: &[&Case],
    target: impl Fn(&Work) -> Option<&'static str>,
) -> Vec<&'static str> {
    let mut targets: Vec<_> = cases.iter().filter_map(|case| target(&case.ours)).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// Every case, in the order of measuring.
pub(super) fn all() -> Vec<Case> {
    vec![
        training(
            "char-small",
            "training step, GPT-2, 4 layers, 128 wide, context 64, batch 12, vocabulary 65",
            "PyTorch",
            Compiled::Too,
            (1.3, 1.6),
            (1.0 / 0.5, 1.0 / 0.25),
        ),
        training(
            "char-base",
            "training step, GPT-2, 6 layers, 384 wide, context 256, batch 8, vocabulary 65",
            "PyTorch",
            Compiled::Too,
            (1.1, 1.25),
            (1.0 / 0.5, 1.0 / 0.25),
        ),
        training(
            "llama-base",
            "training step, LLaMA of the same sizes",
            "transformers",
            Compiled::Too,
            (1.3, 2.0),
            (1.0 / 0.5, 1.0 / 0.25),
        ),
        training(
            "gpt2-124m-t64",
            "training step, GPT-2 124M, context 64, batch 4, vocabulary 50,304",
            "PyTorch",
            Compiled::No,
            (1.3, 1.6),
            (1.0 / 0.85, 1.0 / 0.75),
        ),
        training(
            "gpt2-124m-t512",
            "training step, GPT-2 124M, context 512, batch 1, vocabulary 50,304",
            "PyTorch",
            Compiled::No,
            (1.3, 1.6),
            (1.0 / 0.85, 1.0 / 0.75),
        ),
        Case {
            name: "prefill",
            title: "a prompt of 512 tokens, GPT-2 124M, f32",
            ours: decoding("prefill"),
            peers: vec![llama_cpp("prefill"), transformers("prefill")],
            goals: vec![
                speed("llama-cpp", "llama.cpp", 1.5, 1.75),
                speed("transformers", "transformers", 1.1, 1.25),
            ],
        },
        Case {
            name: "decode",
            title: "128 new tokens after 32, GPT-2 124M, f32, batch 1",
            ours: decoding("decode"),
            peers: vec![llama_cpp("decode"), transformers("decode")],
            goals: vec![
                speed("llama-cpp", "llama.cpp", 1.1, 1.4),
                speed("transformers", "transformers", 1.5, 1.5),
            ],
        },
        Case {
            name: "decode-batch8",
            title: "64 new tokens after 32, GPT-2 124M, f32, batch 8",
            ours: decoding("decode-batch8"),
            peers: vec![transformers("decode-batch8")],
            goals: vec![speed("transformers", "transformers", 2.0, 4.0)],
        },
        Case {
            name: "cold-start",
            title: "start of the program to the end of its first token, GPT-2 124M, files in memory",
            ours: Work::FirstToken,
            peers: vec![(
                "transformers",
                Work::ScriptToItsEnd(Script::new(
                    &["torch", "transformers"],
                    "hf_first_token.py {folder} {prompt}",
                )),
            )],
            goals: vec![Goal {
                name: "time",
                quantity: Quantity::Time,
                peer: "transformers",
                must: 10.0,
                aim: 10.0,
            }],
        },
        Case {
            name: "speedrun",
            title: "training to loss 1.898 over the validation part of tiny Shakespeare, nanoGPT's recipe against ours",
            ours: Work::Speedrun,
            peers: vec![(
                "PyTorch",
                Work::Script(Script::new(
                    &["torch"],
                    "nanogpt_shakespeare.py --json {shakespeare}",
                )),
            )],
            goals: vec![Goal {
                name: "time",
                quantity: Quantity::Time,
                peer: "PyTorch",
                must: 2.0,
                aim: 5.0,
            }],
        },
        tokenizer(
            "bpe-train",
            "learning a byte-level BPE of 8,192 tokens from the novels, two threads",
            &format!("train {{novels}} {BPE_TOKENS} {{scratch}}"),
            2,
        ),
        tokenizer(
            "bpe-encode-1",
            "cutting the novels into its tokens, one thread",
            "encode {novels} {tokenizer}",
            1,
        ),
        tokenizer(
            "bpe-encode-2",
            "the same, two threads",
            "encode {novels} {tokenizer}",
            2,
        ),
        preparing(
            "prepare-txt",
            "plain text, separators between documents",
            "{stories.txt}",
        ),
        preparing("prepare-jsonl", "JSON lines", "{stories.jsonl}"),
        preparing("prepare-jsonl-gz", "JSON lines, gzip", "{stories.jsonl.gz}"),
        preparing(
            "prepare-jsonl-zst",
            "JSON lines, zstd",
            "{stories.jsonl.zst}",
        ),
        preparing("prepare-json", "a JSON list", "{stories.json}"),
        preparing("prepare-csv", "a CSV table", "{stories.csv}"),
        preparing("prepare-html", "a folder of web pages", "{pages}"),
    ]
}

/// Work of a BPE, with the same arguments for Hugging Face `tokenizers`.
fn tokenizer(name: &'static str, title: &'static str, line: &str, threads: u32) -> Case {
    let script = Script::new(&["tokenizers"], &format!("hf_tokenizer_speed.py {line}"));
    let peer = "tokenizers";
    Case {
        name,
        title,
        ours: Work::Example(Example::new("tokenizer_speed", line, threads)),
        peers: vec![(peer, Work::Script(script.with_threads(threads)))],
        goals: vec![
            Goal {
                name: "speed",
                quantity: Quantity::Throughput,
                peer,
                must: 2.0,
                aim: 4.0,
            },
            Goal {
                name: "memory",
                quantity: Quantity::Memory,
                peer,
                must: 1.5,
                aim: 2.0,
            },
        ],
    }
}

/// From files to token shards, with a BPE of 4,096 tokens that is there already. There is no peer: none does all of it.
fn preparing(name: &'static str, title: &'static str, source: &str) -> Case {
    Case {
        name,
        title,
        ours: Work::Example(Example::new(
            "measure",
            &format!("prepare {source} {{scratch}}"),
            2,
        )),
        peers: Vec::new(),
        goals: Vec::new(),
    }
}

/// Whether PyTorch is also measured with `torch.compile`.
#[derive(PartialEq, Eq)]
enum Compiled {
    Too,
    No,
}

/// A training step in PyTorch, or in transformers on PyTorch; `speed` and `memory` are what must be reached and the aim.
fn training(
    name: &'static str,
    title: &'static str,
    peer: &'static str,
    compiled: Compiled,
    speed: (f64, f64),
    memory: (f64, f64),
) -> Case {
    let script = |more| {
        let needs: &[&str] = match peer {
            "transformers" => &["torch", "transformers"],
            _ => &["torch"],
        };
        let line = format!("torch_train.py --json --only {name}{more}");
        Work::Script(Script::new(needs, &line))
    };
    let goal = |name, quantity, (must, aim)| Goal {
        name,
        quantity,
        peer,
        must,
        aim,
    };
    let mut peers = vec![(peer, script(""))];
    if compiled == Compiled::Too {
        let name = match peer {
            "transformers" => "transformers compiled",
            _ => "PyTorch compiled",
        };
        peers.push((name, script(" --compiled")));
    }
    Case {
        name,
        title,
        ours: Work::Benchmark(Id {
            target: "training",
            name: format!("train/{name}"),
        }),
        peers,
        goals: vec![
            goal("speed", Quantity::Speed, speed),
            goal("memory", Quantity::Memory, memory),
        ],
    }
}

fn decoding(work: &str) -> Work {
    Work::Benchmark(Id {
        target: "decoding",
        name: format!("{work}/gpt2-124m"),
    })
}

fn llama_cpp(work: &str) -> (&'static str, Work) {
    let line = format!("llama_cpp_generate.py --json --only {work} {{gguf}}");
    let needs = &["llama_cpp_python", "gguf", "torch", "transformers"];
    ("llama.cpp", Work::Script(Script::new(needs, &line)))
}

fn transformers(work: &str) -> (&'static str, Work) {
    let line = format!("hf_generate.py --json --dtype f32 --only {work}");
    let script = Script::new(&["torch", "transformers"], &line);
    ("transformers", Work::Script(script))
}

fn speed(name: &'static str, peer: &'static str, must: f64, aim: f64) -> Goal {
    Goal {
        name,
        quantity: Quantity::Speed,
        peer,
        must,
        aim,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_scripts_exist() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        for (_, peer) in all().iter().flat_map(|case| &case.peers) {
            let (Work::Script(script) | Work::ScriptToItsEnd(script)) = peer else {
                panic!("a peer is a script: {peer:?}");
            };
            assert!(folder.join(script.file()).is_file(), "{script:?}");
        }
    }

    #[test]
    fn every_goal_has_a_name_and_a_peer_and_aims_at_what_must_be_reached() {
        let mut names = BTreeSet::new();
        for case in all() {
            for goal in &case.goals {
                assert!(names.insert((case.name, goal.name)), "{goal:?}");
                let known = case
                    .peers
                    .iter()
                    .any(|(name, _)| name.starts_with(goal.peer));
                assert!(
                    known && goal.aim >= goal.must && goal.must > 1.0,
                    "{goal:?}"
                );
                // README's figures are looked up by these names, between dots.
                assert!(!case.name.contains('.') && !goal.name.contains('.'));
            }
        }
    }
}
