//! What the keys of `[generate]` may be, alone and together. A setting that would have no effect is refused.

use super::config::{GenerateConfig, Strategy};
use super::engine::Special;
use crate::ModelError;

/// Largest bias and penalty, as in OpenAI's interface: beyond it a token is forbidden or certain anyway.
const LARGEST: f32 = 100.0;

impl GenerateConfig {
    /// Checks every number against its range, and that no setting is without effect beside the others.
    ///
    /// # Errors
    /// [`ModelError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), ModelError> {
        self.check_cuts()?;
        self.check_temperatures()?;
        self.check_mirostat()?;
        self.check_penalties()?;
        self.check_dry()?;
        self.check_ends()
    }

    /// Checks that the tokens that the settings name exist among `vocab_size`, and that not all that can be chosen are banned.
    ///
    /// # Errors
    /// Names the key and the token.
    pub fn check_tokens(&self, vocab_size: usize, special: &Special) -> Result<(), ModelError> {
        let biased: Vec<u32> = self.logit_bias.iter().map(|(id, _)| id).collect();
        for (key, ids) in [
            ("generate.logit_bias", &biased),
            ("generate.banned_tokens", &self.banned_tokens),
            ("generate.dry_breaker_tokens", &self.dry_breaker_tokens),
        ] {
            if let Some(&id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
                return Err(ModelError::SettingOutOfVocabulary {
                    key,
                    id,
                    vocab_size,
                });
            }
        }
        let known = special.n_tokens.unwrap_or(vocab_size).min(vocab_size);
        let is_banned = |id: u32| self.banned_tokens.contains(&id);
        let is_free = self.banned_tokens.is_empty() || !(0..known as u32).all(is_banned);
        let allowed = "fewer than all tokens of the model";
        check("generate.banned_tokens", "every token", allowed, is_free)
    }

    fn is_one_of(&self, strategies: &[Strategy]) -> bool {
        strategies.contains(&self.strategy)
    }

    /// What cuts the candidates.
    fn check_cuts(&self) -> Result<(), ModelError> {
        use Strategy::{MinP, Sample, TopK, TopP};
        if let Some(k) = self.top_k {
            let allowed = "nothing unless generate.strategy is top-k or sample";
            check(
                "generate.top_k",
                k,
                allowed,
                self.is_one_of(&[Sample, TopK]),
            )?;
            check("generate.top_k", k, "at least 1", k >= 1)?;
        }
        if let Some(p) = self.top_p {
            let allowed = "nothing unless generate.strategy is top-p or sample";
            check(
                "generate.top_p",
                p,
                allowed,
                self.is_one_of(&[Sample, TopP]),
            )?;
            check(
                "generate.top_p",
                p,
                "above 0, at most 1",
                p > 0.0 && p <= 1.0,
            )?;
        }
        if let Some(p) = self.min_p {
            let allowed = "nothing unless generate.strategy is min-p or sample";
            check(
                "generate.min_p",
                p,
                allowed,
                self.is_one_of(&[Sample, MinP]),
            )?;
            check("generate.min_p", p, "from 0 to 1", (0.0..=1.0).contains(&p))?;
        }
        let sample_alone = "nothing unless generate.strategy is sample";
        if let Some(p) = self.typical_p {
            check(
                "generate.typical_p",
                p,
                sample_alone,
                self.is_one_of(&[Sample]),
            )?;
            check(
                "generate.typical_p",
                p,
                "above 0, at most 1",
                p > 0.0 && p <= 1.0,
            )?;
        }
        let p = self.xtc_probability;
        check(
            "generate.xtc_probability",
            p,
            "from 0 to 1",
            (0.0..=1.0).contains(&p),
        )?;
        let is_on = p > 0.0;
        let fits = !is_on || self.is_one_of(&[Sample]);
        check("generate.xtc_probability", p, sample_alone, fits)?;
        if let Some(t) = self.xtc_threshold {
            let allowed = "nothing unless generate.xtc_probability is above 0";
            check("generate.xtc_threshold", t, allowed, is_on)?;
            // Two tokens cannot both have more than a half.
            check(
                "generate.xtc_threshold",
                t,
                "above 0, at most 0.5",
                t > 0.0 && t <= 0.5,
            )?;
        }
        Ok(())
    }

    fn check_temperatures(&self) -> Result<(), ModelError> {
        if let Some(t) = self.temperature {
            let allowed = "nothing when generate.strategy is greedy";
            check(
                "generate.temperature",
                t,
                allowed,
                self.strategy != Strategy::Greedy,
            )?;
            let fits = t.is_finite() && t > 0.0;
            check("generate.temperature", t, "a finite number above 0", fits)?;
        }
        let range = self.dynatemp_range;
        let most = self.temperature.unwrap_or(1.0);
        let fits = (0.0..=most).contains(&range);
        check(
            "generate.dynatemp_range",
            range,
            "from 0 to generate.temperature",
            fits,
        )?;
        let is_on = range > 0.0;
        let fits = !is_on || !self.is_one_of(&[Strategy::Greedy, Strategy::Mirostat]);
        let allowed = "0 when generate.strategy is greedy or mirostat";
        check("generate.dynatemp_range", range, allowed, fits)?;
        if let Some(e) = self.dynatemp_exponent {
            let allowed = "nothing unless generate.dynatemp_range is above 0";
            check("generate.dynatemp_exponent", e, allowed, is_on)?;
            let fits = e.is_finite() && e > 0.0;
            check(
                "generate.dynatemp_exponent",
                e,
                "a finite number above 0",
                fits,
            )?;
        }
        Ok(())
    }

    fn check_mirostat(&self) -> Result<(), ModelError> {
        let fits = self.strategy == Strategy::Mirostat;
        let allowed = "nothing unless generate.strategy is mirostat";
        if let Some(tau) = self.mirostat_tau {
            check("generate.mirostat_tau", tau, allowed, fits)?;
            let finite = tau.is_finite() && tau > 0.0;
            check(
                "generate.mirostat_tau",
                tau,
                "a finite number above 0",
                finite,
            )?;
        }
        if let Some(eta) = self.mirostat_eta {
            check("generate.mirostat_eta", eta, allowed, fits)?;
            let range = eta > 0.0 && eta <= 1.0;
            check("generate.mirostat_eta", eta, "above 0, at most 1", range)?;
        }
        Ok(())
    }

    fn check_penalties(&self) -> Result<(), ModelError> {
        let small = |x: f32| x.abs() <= LARGEST;
        let allowed = "from -100 to 100";
        let (presence, frequency) = (self.presence_penalty, self.frequency_penalty);
        check(
            "generate.presence_penalty",
            presence,
            allowed,
            small(presence),
        )?;
        check(
            "generate.frequency_penalty",
            frequency,
            allowed,
            small(frequency),
        )?;
        for (id, bias) in self.logit_bias.iter() {
            let value = format!("{bias} for token {id}");
            check("generate.logit_bias", value, allowed, small(bias))?;
            let free = !self.banned_tokens.contains(&id);
            let allowed = "of tokens that generate.banned_tokens does not forbid";
            check(
                "generate.logit_bias",
                format!("of token {id}"),
                allowed,
                free,
            )?;
        }
        let r = self.repetition_penalty;
        let fits = r.is_finite() && r > 0.0;
        check(
            "generate.repetition_penalty",
            r,
            "a finite number above 0",
            fits,
        )?;
        let empty = self.banned_texts.iter().any(String::is_empty);
        let allowed = "texts of at least one character";
        check("generate.banned_texts", "\"\"", allowed, !empty)
    }

    fn check_dry(&self) -> Result<(), ModelError> {
        let m = self.dry_multiplier;
        let fits = (0.0..=LARGEST).contains(&m);
        check("generate.dry_multiplier", m, "from 0 to 100", fits)?;
        let is_on = m > 0.0;
        let inert = "nothing unless generate.dry_multiplier is above 0";
        if let Some(base) = self.dry_base {
            check("generate.dry_base", base, inert, is_on)?;
            let fits = (1.0..=LARGEST).contains(&base);
            check("generate.dry_base", base, "from 1 to 100", fits)?;
        }
        if let Some(n) = self.dry_allowed_length {
            check("generate.dry_allowed_length", n, inert, is_on)?;
            check("generate.dry_allowed_length", n, "at least 1", n >= 1)?;
        }
        if let Some(n) = self.dry_last_n {
            check("generate.dry_last_n", n, inert, is_on)?;
            check("generate.dry_last_n", n, "at least 1", n >= 1)?;
        }
        if let Some(breakers) = &self.dry_breakers {
            check(
                "generate.dry_breakers",
                format!("{breakers:?}"),
                inert,
                is_on,
            )?;
            let full = !breakers.iter().any(String::is_empty);
            let allowed = "texts of at least one character";
            check("generate.dry_breakers", "\"\"", allowed, full)?;
        }
        let ids = &self.dry_breaker_tokens;
        let fits = ids.is_empty() || is_on;
        check(
            "generate.dry_breaker_tokens",
            format!("{ids:?}"),
            inert,
            fits,
        )
    }

    /// How many texts there are, and when they end.
    fn check_ends(&self) -> Result<(), ModelError> {
        let n = self.max_new_tokens;
        check("generate.max_new_tokens", n, "at least 1", n >= 1)?;
        let least = self.min_new_tokens;
        let allowed = "at most generate.max_new_tokens";
        check("generate.min_new_tokens", least, allowed, least <= n)?;
        let sequences = self.num_return_sequences;
        check(
            "generate.num_return_sequences",
            sequences,
            "at least 1",
            sequences >= 1,
        )?;
        let differ = self.strategy != Strategy::Greedy || sequences == 1;
        let allowed = "1 when generate.strategy is greedy, as all would be the same";
        check("generate.num_return_sequences", sequences, allowed, differ)?;
        let empty = self.stop.iter().any(String::is_empty);
        check(
            "generate.stop",
            "\"\"",
            "texts of at least one character",
            !empty,
        )
    }
}

fn check(
    key: &'static str,
    value: impl ToString,
    allowed: &'static str,
    is_right: bool,
) -> Result<(), ModelError> {
    if is_right {
        return Ok(());
    }
    Err(ModelError::Config {
        key,
        value: value.to_string(),
        allowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::token_bias::TokenBias;

    #[test]
    fn settings_without_effect_or_out_of_range_are_refused() {
        let refused = |change: fn(&mut GenerateConfig)| {
            let mut config = GenerateConfig::default();
            change(&mut config);
            config.validate().expect_err("refused").to_string()
        };
        assert!(
            refused(|c| (c.strategy, c.temperature) = (Strategy::Greedy, Some(0.5)))
                .contains("generate.temperature")
        );
        assert!(
            refused(|c| (c.strategy, c.top_k) = (Strategy::TopP, Some(3)))
                .contains("generate.top_k")
        );
        assert!(
            refused(|c| (c.strategy, c.num_return_sequences) = (Strategy::Greedy, 2))
                .contains("num_return_sequences")
        );
        assert!(refused(|c| c.temperature = Some(0.0)).contains("generate.temperature is 0"));
        assert!(
            refused(|c| c.temperature = Some(f32::NAN)).contains("generate.temperature is NaN")
        );
        assert!(refused(|c| c.top_p = Some(1.5)).contains("generate.top_p is 1.5"));
        assert!(refused(|c| c.top_k = Some(0)).contains("generate.top_k is 0"));
        assert!(refused(|c| c.min_p = Some(-0.1)).contains("generate.min_p"));
        assert!(refused(|c| c.repetition_penalty = 0.0).contains("generate.repetition_penalty"));
        assert!(refused(|c| c.max_new_tokens = 0).contains("generate.max_new_tokens"));
        assert!(refused(|c| c.min_new_tokens = 201).contains("generate.min_new_tokens"));
        assert!(refused(|c| c.stop = vec![String::new()]).contains("generate.stop"));
    }

    #[test]
    fn every_number_has_its_range() {
        type Change = fn(&mut GenerateConfig, f32);
        let on: [(&str, Change); 13] = [
            ("temperature", |c, x| c.temperature = Some(x)),
            ("top_p", |c, x| c.top_p = Some(x)),
            ("min_p", |c, x| c.min_p = Some(x)),
            ("typical_p", |c, x| c.typical_p = Some(x)),
            ("xtc_probability", |c, x| c.xtc_probability = x),
            ("xtc_threshold", |c, x| {
                (c.xtc_probability, c.xtc_threshold) = (0.5, Some(x));
            }),
            ("mirostat_tau", |c, x| {
                (c.strategy, c.mirostat_tau) = (Strategy::Mirostat, Some(x));
            }),
            ("mirostat_eta", |c, x| {
                (c.strategy, c.mirostat_eta) = (Strategy::Mirostat, Some(x));
            }),
            ("dynatemp_range", |c, x| c.dynatemp_range = x),
            ("dynatemp_exponent", |c, x| {
                (c.dynatemp_range, c.dynatemp_exponent) = (0.5, Some(x));
            }),
            ("repetition_penalty", |c, x| c.repetition_penalty = x),
            ("dry_multiplier", |c, x| c.dry_multiplier = x),
            ("dry_base", |c, x| {
                (c.dry_multiplier, c.dry_base) = (0.5, Some(x));
            }),
        ];
        let signed: [(&str, Change); 3] = [
            ("presence_penalty", |c, x| c.presence_penalty = x),
            ("frequency_penalty", |c, x| c.frequency_penalty = x),
            ("logit_bias", |c, x| {
                c.logit_bias = TokenBias::from_iter([(3, x)]);
            }),
        ];
        #[track_caller]
        fn check(name: &str, change: Change, x: f32) {
            let mut config = GenerateConfig::default();
            change(&mut config, x);
            let error = config.validate().expect_err(name).to_string();
            assert!(error.starts_with(&format!("generate.{name} is")), "{error}");
        }
        for (name, change) in on.iter().chain(&signed) {
            for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                check(name, *change, x);
            }
        }
        for (name, change) in on {
            check(name, change, -0.5);
        }
        for (name, change) in signed {
            check(name, change, 1e6);
            check(name, change, -1e6);
        }
    }

    #[test]
    fn settings_that_nothing_would_read_are_refused() {
        #[track_caller]
        fn check(key: &str, change: fn(&mut GenerateConfig)) {
            let mut config = GenerateConfig::default();
            change(&mut config);
            let error = config.validate().expect_err(key).to_string();
            assert!(error.starts_with(&format!("generate.{key} is")), "{error}");
        }
        check("typical_p", |c| {
            (c.strategy, c.typical_p) = (Strategy::TopK, Some(0.5));
        });
        check("xtc_probability", |c| {
            (c.strategy, c.xtc_probability) = (Strategy::Mirostat, 0.5);
        });
        check("xtc_threshold", |c| c.xtc_threshold = Some(0.1));
        check("mirostat_tau", |c| c.mirostat_tau = Some(5.0));
        check("mirostat_eta", |c| c.mirostat_eta = Some(0.1));
        check("dynatemp_exponent", |c| c.dynatemp_exponent = Some(2.0));
        check("dynatemp_range", |c| {
            (c.strategy, c.dynatemp_range) = (Strategy::Greedy, 0.5);
        });
        check("dynatemp_range", |c| c.dynatemp_range = 1.5);
        check("dry_base", |c| c.dry_base = Some(2.0));
        check("dry_allowed_length", |c| c.dry_allowed_length = Some(2));
        check("dry_last_n", |c| c.dry_last_n = Some(100));
        check("dry_breakers", |c| c.dry_breakers = Some(Vec::new()));
        check("dry_breaker_tokens", |c| c.dry_breaker_tokens = vec![1]);
        check("dry_last_n", |c| {
            (c.dry_multiplier, c.dry_last_n) = (1.0, Some(0));
        });
        check("top_k", |c| {
            (c.strategy, c.top_k) = (Strategy::Mirostat, Some(5));
        });
        check("logit_bias", |c| {
            c.logit_bias = TokenBias::from_iter([(3, 1.0)]);
            c.banned_tokens = vec![3];
        });
    }
}
