//! The value of `generate.logit_bias`: a table of token ids, whose keys are texts in TOML and JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is added to the logits of single tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenBias(BTreeMap<u32, f32>);

impl TokenBias {
    /// Whether no token has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every token and its bias.
    pub fn iter(&self) -> impl Iterator<Item = (u32, f32)> {
        self.0.iter().map(|(&id, &bias)| (id, bias))
    }

    pub(super) fn by_token(&self) -> BTreeMap<u32, f32> {
        self.0.clone()
    }
}

impl FromIterator<(u32, f32)> for TokenBias {
    fn from_iter<T: IntoIterator<Item = (u32, f32)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Serialize for TokenBias {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, bias)| (id.to_string(), bias)))
    }
}

impl<'de> Deserialize<'de> for TokenBias {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = TokenBias;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of token ids, such as { \"11\" = -2.5 }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TokenBias, A::Error> {
                let mut biases = BTreeMap::new();
                while let Some((key, bias)) = map.next_entry::<String, f32>()? {
                    let id = key.parse().map_err(|_| {
                        A::Error::custom(format!(
                            "`{key}` is no token id: write a whole number from 0"
                        ))
                    })?;
                    biases.insert(id, bias);
                }
                Ok(TokenBias(biases))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}
