//! The text of a page from its tags alone, in one pass and without a tree: for pages nested too deep to be parsed.

use std::cell::RefCell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use html5ever::{LocalName, local_name};

use super::render::Renderer;

/// The text between the tags, without scripts, styles and the like.
pub(super) fn text(html: &str) -> String {
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    // The sink stops the tokenizer nowhere, so one call takes the whole input.
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner().renderer.finish()
}

#[derive(Default)]
struct Sink(RefCell<State>);

#[derive(Default)]
struct State {
    renderer: Renderer,
    /// The element whose raw content is being passed over.
    raw: Option<LocalName>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let state = &mut *self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) if state.raw.is_none() => state.renderer.text(&text),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                if let Some(raw) = raw_content(&tag.name) {
                    state.raw = Some(tag.name);
                    return TokenSinkResult::RawData(raw);
                }
                state.renderer.enter(&tag.name);
            }
            Token::TagToken(tag) => match &state.raw {
                Some(_) => state.raw = None,
                None => state.renderer.leave(&tag.name),
            },
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

/// How the content of an element that holds no markup, and no text to read, ends.
fn raw_content(name: &LocalName) -> Option<RawKind> {
    match *name {
        local_name!("script") => Some(RawKind::ScriptData),
        local_name!("iframe")
        | local_name!("noembed")
        | local_name!("noframes")
        | local_name!("noscript")
        | local_name!("style") => Some(RawKind::Rawtext),
        local_name!("textarea") | local_name!("title") => Some(RawKind::Rcdata),
        _ => None,
    }
}
