//! Training against reference trainers: the merges of the golden files, and those that were published.

use std::fs;
use std::ops::ControlFlow;

use llm_tokenizer::{
    BpeTraining, TieBreak, Tokenizer, TokenizerError, TrainingPhase, TrainingSummary, WordPattern,
};
use serde_json::Value;
use tokenizers::models::bpe::BpeTrainer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, PreTokenizer, Trainer};

use crate::data_dir;
use crate::oracles::json;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/bpe_training.json")).unwrap()
}

fn train(training: &BpeTraining, texts: &[&str]) -> (Tokenizer, TrainingSummary) {
    let trained = training.train(texts, |_| ControlFlow::Continue(()));
    let trained = trained.unwrap();
    (trained.tokenizer, trained.summary)
}

/// The merges of a tokenizer, as a merges file writes them.
pub(crate) fn merges(tokenizer: &Tokenizer) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    tokenizer.save(folder.path()).unwrap();
    let saved = json(folder.path().join("tokenizer.json"));
    let merges = saved["model"]["merges"].as_array().unwrap().iter();
    let half = |pair: &Value, side: usize| pair[side].as_str().unwrap().to_owned();
    merges
        .map(|pair| format!("{} {}", half(pair, 0), half(pair, 1)))
        .collect()
}

fn vocabulary(tokenizer: &Tokenizer) -> Vec<String> {
    let ids = 0..u32::try_from(tokenizer.vocab_size()).unwrap();
    ids.map(|id| tokenizer.token(id).unwrap()).collect()
}

/// Trains like a reference.
#[track_caller]
fn check(training: &BpeTraining, texts: &[&str], reference: &Value) {
    let (tokenizer, summary) = train(training, texts);
    let found = merges(&tokenizer);
    assert!(found.len() > 50);
    assert_eq!(Value::from(found), reference["merges"]);
    if reference["vocab"].is_array() {
        assert_eq!(Value::from(vocabulary(&tokenizer)), reference["vocab"]);
    }
    assert_eq!(summary.tokens, tokenizer.vocab_size());
    let text = texts.concat();
    let ids = tokenizer.encode(&text).unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
}

#[test]
fn merges_are_those_of_hugging_face() {
    let golden = golden();
    let text = golden["text"].as_str().unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let reference = &golden["hugging_face"];
    let with = |change: fn(&mut BpeTraining)| {
        let mut training = BpeTraining {
            vocab_size: 600,
            ..BpeTraining::default()
        };
        change(&mut training);
        training
    };

    check(&with(|_| {}), &lines, &reference["gpt2"]);
    let gpt4 = with(|t| {
        t.pattern = WordPattern::Gpt4;
        t.vocab_size = 400;
    });
    check(&gpt4, &[text], &reference["gpt4"]);
    let none = with(|t| {
        t.pattern = WordPattern::None;
        t.vocab_size = 400;
    });
    check(&none, &lines, &reference["none"]);
    check(
        &with(|t| t.min_frequency = 12),
        &lines,
        &reference["frequent"],
    );
    let short = with(|t| t.max_token_length = Some(4));
    check(&short, &lines, &reference["short"]);
    let ambiguous = golden["ambiguous"].as_str().unwrap();
    let all = with(|t| t.vocab_size = 500);
    check(&all, &[ambiguous], &reference["ambiguous"]);
}

#[test]
fn an_expression_of_ones_own_cuts_as_the_same_rule_does() {
    let golden = golden();
    let text = golden["text"].as_str().unwrap();
    let expression =
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|[ ]?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    let training = BpeTraining {
        vocab_size: 600,
        pattern: WordPattern::Regex(expression.to_owned()),
        ..BpeTraining::default()
    };
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    check(&training, &lines, &golden["hugging_face"]["gpt2"]);
    let broken = BpeTraining {
        pattern: WordPattern::Regex("(".to_owned()),
        ..training
    };
    let error = broken.train([text], |_| ControlFlow::Continue(()));
    assert!(matches!(error, Err(TokenizerError::Pattern { .. })));
}

#[test]
fn ties_go_to_the_greater_bytes_as_in_cs336() {
    let golden = golden();
    let text = |key: &str| golden[key].as_str().unwrap();
    let reference = &golden["greater_bytes"];
    let training = |n_merges: usize| BpeTraining {
        vocab_size: 257 + n_merges,
        ties: TieBreak::GreaterBytes,
        cut_at_special: true,
        ..BpeTraining::default()
    };
    check(&training(300), &[text("text")], &reference["cut"]);
    check(
        &training(200),
        &[text("ambiguous")],
        &reference["ambiguous"],
    );
}

#[test]
fn ties_go_to_the_first_pair_in_the_text_as_in_minbpe() {
    let golden = golden();
    let text = golden["text"].as_str().unwrap();
    let reference = &golden["first_in_text"];
    let training = |pattern, n_merges: usize| BpeTraining {
        vocab_size: 256 + n_merges,
        ties: TieBreak::FirstInText,
        special_tokens: Vec::new(),
        pattern,
        ..BpeTraining::default()
    };
    check(
        &training(WordPattern::Gpt4, 300),
        &[text],
        &reference["gpt4"],
    );
    let start: String = text.chars().take(2000).collect();
    check(
        &training(WordPattern::None, 150),
        &[&start],
        &reference["none"],
    );
    let ambiguous = golden["ambiguous"].as_str().unwrap();
    let training = training(WordPattern::Gpt2, 200);
    check(&training, &[ambiguous], &reference["ambiguous"]);
}

#[test]
fn the_reference_of_cs336_is_met() {
    let Some(data) = data_dir() else { return };
    let folder = data.join("oracles/cs336");
    let text = fs::read_to_string(folder.join("corpus.en")).unwrap();
    let training = BpeTraining {
        vocab_size: 500,
        ties: TieBreak::GreaterBytes,
        cut_at_special: true,
        ..BpeTraining::default()
    };
    let (tokenizer, _) = train(&training, &[&text]);
    let expected = fs::read_to_string(folder.join("train-bpe-reference-merges.txt")).unwrap();
    assert_eq!(merges(&tokenizer), expected.lines().collect::<Vec<_>>());
    let expected = json(folder.join("train-bpe-reference-vocab.json"));
    for (token, id) in expected.as_object().unwrap() {
        let found = tokenizer.id_of(token).map(u64::from);
        assert_eq!(found, id.as_u64(), "{token}");
    }
    assert_eq!(tokenizer.vocab_size(), 500);
}

#[test]
fn the_cases_of_minbpe_are_met() {
    let Some(data) = data_dir() else { return };
    let cases = json(data.join("oracles/minbpe/bpe_train_cases.json"));
    let article = fs::read_to_string(data.join("oracles/minbpe/taylorswift.txt")).unwrap();
    let training = BpeTraining {
        vocab_size: usize::try_from(cases["vocab_size"].as_u64().unwrap()).unwrap(),
        ties: TieBreak::FirstInText,
        special_tokens: Vec::new(),
        pattern: WordPattern::None,
        ..BpeTraining::default()
    };
    let text = cases["text"].as_str().unwrap();
    let (tokenizer, _) = train(&training, &[text]);
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(serde_json::to_value(&ids).unwrap(), cases["expected_ids"]);
    for text in cases["round_trip_strings"].as_array().unwrap() {
        let text = match text.as_str().unwrap() {
            "FILE:taylorswift.txt" => &article,
            text => text,
        };
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

/// Merges that the trainer of the `tokenizers` crate learns from lines.
fn library_merges(text: &str, vocab_size: usize) -> Vec<String> {
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocab_size)
        .special_tokens(vec![AddedToken::from(Tokenizer::END_OF_TEXT, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let lines = text.split_inclusive('\n');
    trainer
        .feed(lines, |line| {
            let mut words = tokenizers::PreTokenizedString::from(line);
            ByteLevel::new(false, true, true).pre_tokenize(&mut words)?;
            let words = words.get_splits(
                tokenizers::OffsetReferential::Original,
                tokenizers::OffsetType::None,
            );
            Ok(words
                .into_iter()
                .map(|(word, ..)| word.to_owned())
                .collect())
        })
        .unwrap();
    let mut model = tokenizers::models::bpe::BPE::default();
    trainer.train(&mut model).unwrap();
    let saved = serde_json::to_value(&model).unwrap();
    let merges = saved["merges"].as_array().unwrap().iter();
    let half = |pair: &Value, side: usize| pair[side].as_str().unwrap().to_owned();
    merges
        .map(|pair| format!("{} {}", half(pair, 0), half(pair, 1)))
        .collect()
}

#[test]
fn real_text_gives_the_merges_of_the_library() {
    let Some(data) = data_dir() else { return };
    let mut texts = vec![
        fs::read_to_string(data.join("corpora/tinyshakespeare.txt")).unwrap(),
        fs::read_to_string(data.join("corpora/wikitext2/wiki.valid.raw")).unwrap(),
        fs::read_to_string(data.join("oracles/minbpe/taylorswift.txt")).unwrap(),
    ];
    let mut declarations = String::new();
    for entry in fs::read_dir(data.join("corpora/udhr")).unwrap() {
        declarations += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    texts.push(declarations);
    for text in texts {
        let lines = text.split_inclusive('\n');
        let tokenizer = Tokenizer::train_bpe(lines, 8000).unwrap();
        assert_eq!(merges(&tokenizer), library_merges(&text, 8000));
    }
}

#[test]
fn progress_tells_both_parts_and_stops_the_training() {
    let lines: Vec<_> = crate::TEXT.lines().collect();
    let training = BpeTraining {
        vocab_size: 300,
        ..BpeTraining::default()
    };
    let mut seen = Vec::new();
    let trained = training.train(&lines, |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    });
    let bytes = trained.unwrap().summary.bytes;
    let counted = seen
        .iter()
        .rposition(|p| p.phase == TrainingPhase::Counting);
    let counted = seen[counted.unwrap()];
    assert_eq!((counted.done, counted.total), (bytes, None));
    let merged = seen.last().unwrap();
    assert_eq!((merged.done, merged.total), (300, Some(300)));

    for phase in [TrainingPhase::Counting, TrainingPhase::Merging] {
        let stopped = training.train(&lines, |progress| {
            if progress.phase == phase {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(matches!(stopped, Err(TokenizerError::TrainingStopped)));
    }
}

#[test]
fn several_special_tokens_come_first_and_stay_whole() {
    let training = BpeTraining {
        vocab_size: 300,
        special_tokens: vec!["<|user|>".to_owned(), Tokenizer::END_OF_TEXT.to_owned()],
        cut_at_special: true,
        pattern: WordPattern::Gpt4,
        ..BpeTraining::default()
    };
    let (tokenizer, _) = train(&training, &["<|user|>hello hello<|endoftext|>"; 5]);
    assert_eq!(tokenizer.id_of("<|user|>"), Some(0));
    assert_eq!((tokenizer.eos(), tokenizer.bos()), (Some(1), Some(1)));
    let ids = tokenizer.encode_with_special("<|user|>hello").unwrap();
    assert_eq!((ids[0], ids.len()), (0, 2));
    assert!(!tokenizer.encode("<|user|>hello").unwrap().contains(&0));
    assert!(tokenizer.id_of("user").is_none());
}
