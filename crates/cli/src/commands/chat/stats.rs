//! What `/stats` tells: how fast the last answer came, and how much of the context is used.

use std::fmt;
use std::time::Duration;

/// Numbers of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stats {
    /// Tokens of the conversation before the answer.
    pub(super) n_prompt: usize,
    /// How many of them a pass of the model computed; the cache had the others. `None` where nobody counts.
    pub(super) n_computed: Option<usize>,
    /// Tokens of the answer.
    pub(super) n_new: usize,
    /// Until the first of them.
    pub(super) to_first: Duration,
    /// Until the last.
    pub(super) to_last: Duration,
    /// Tokens of the model's context.
    pub(super) context: usize,
}

impl Stats {
    /// New tokens a second, after the first. `None` where there was only one.
    fn tokens_per_second(&self) -> Option<f64> {
        let seconds = (self.to_last - self.to_first).as_secs_f64();
        (self.n_new > 1 && seconds > 0.0).then(|| (self.n_new - 1) as f64 / seconds)
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.n_prompt + self.n_new;
        let share = 100.0 * used as f64 / self.context as f64;
        write!(f, "prompt        {} tokens", self.n_prompt)?;
        if let Some(computed) = self.n_computed {
            let cached = self.n_prompt.saturating_sub(computed);
            write!(f, ", {cached} of them from the cache")?;
        }
        write!(
            f,
            "\nfirst token   after {:.3} s",
            self.to_first.as_secs_f64()
        )?;
        write!(f, "\nanswer        {} tokens", self.n_new)?;
        if let Some(speed) = self.tokens_per_second() {
            write!(f, ", {speed:.1} tokens/s")?;
        }
        write!(
            f,
            "\ncontext       {used} of {} tokens used ({share:.0} %)",
            self.context
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_does_not_count_as_pace() {
        let stats = Stats {
            n_prompt: 30,
            n_computed: Some(10),
            n_new: 11,
            to_first: Duration::from_millis(500),
            to_last: Duration::from_millis(1500),
            context: 82,
        };
        assert_eq!(
            stats.to_string(),
            "prompt        30 tokens, 20 of them from the cache\n\
             first token   after 0.500 s\n\
             answer        11 tokens, 10.0 tokens/s\n\
             context       41 of 82 tokens used (50 %)"
        );
    }
}
