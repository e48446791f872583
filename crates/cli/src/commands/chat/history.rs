//! What was said: the system prompt, and the messages in turn.

use llm_tokenizer::Message;

const USER: &str = "user";
const ASSISTANT: &str = "assistant";
const SYSTEM: &str = "system";

/// A conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct History {
    system: Option<Message>,
    turns: Vec<Message>,
}

impl History {
    /// A conversation of messages, of which the first may be the system prompt.
    pub(super) fn new(mut messages: Vec<Message>) -> Self {
        let has_system = messages.first().is_some_and(|m| role(m) == SYSTEM);
        let system = has_system.then(|| messages.remove(0));
        Self {
            system,
            turns: messages,
        }
    }

    /// All messages, the system prompt first.
    pub(super) fn messages(&self) -> Vec<Message> {
        self.system.iter().chain(&self.turns).cloned().collect()
    }

    /// Tells the model this before the conversation; an empty text is nothing.
    pub(super) fn set_system(&mut self, text: &str) {
        self.system = (!text.is_empty()).then(|| Message::new(SYSTEM, text));
    }

    /// The user says something.
    pub(super) fn ask(&mut self, text: &str) {
        self.turns.push(Message::new(USER, text));
    }

    /// The model says something.
    pub(super) fn answer(&mut self, text: &str) {
        self.turns.push(Message::new(ASSISTANT, text));
    }

    /// Takes back what was said last.
    pub(super) fn take_back(&mut self) {
        self.turns.pop();
    }

    /// Forgets what was said, but not the system prompt.
    pub(super) fn reset(&mut self) {
        self.turns.clear();
    }

    /// How often the model has answered.
    pub(super) fn n_answers(&self) -> usize {
        let answers = self.turns.iter().filter(|m| role(m) == ASSISTANT);
        answers.count()
    }

    /// How many messages there are beside the system prompt.
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }

    /// Forgets the oldest question with its answer, and tells how many messages that were. 0 if only the last question is left.
    pub(super) fn forget_oldest(&mut self) -> usize {
        let later = self.turns.iter().skip(1).position(|m| role(m) == USER);
        let n = later.map_or(0, |position| position + 1);
        self.turns.drain(..n);
        n
    }
}

/// Who said it.
fn role(message: &Message) -> &str {
    message
        .get("role")
        .and_then(|role| role.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_forgotten_with_its_answer() {
        let mut history = History::new(vec![Message::new(SYSTEM, "be brief")]);
        for text in ["one", "two"] {
            history.ask(text);
            history.answer("yes");
            history.answer("really");
        }
        history.ask("three");
        assert_eq!(history.forget_oldest(), 3);
        assert_eq!(history.forget_oldest(), 3);
        assert_eq!(history.forget_oldest(), 0);
        let expected = [
            Message::new(SYSTEM, "be brief"),
            Message::new(USER, "three"),
        ];
        assert_eq!(history.messages(), expected);
        history.set_system("");
        assert_eq!(history.messages().len(), 1);
    }
}
