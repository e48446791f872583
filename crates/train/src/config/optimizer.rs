//! The `[optimizer]` table: how gradients become updates.

use serde::{Deserialize, Serialize};

use super::{check, refused};
use crate::TrainError;

/// Which rule updates the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// AdamW for every parameter.
    #[default]
    Adamw,
    /// Muon for the matrices inside the blocks, AdamW for embeddings, head, norms and biases.
    Muon,
    /// Stochastic gradient descent, with momentum or without.
    Sgd,
    /// The sign of an interpolated momentum.
    Lion,
}

/// How the moments of AdamW are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moments {
    /// Four bytes a number.
    #[default]
    F32,
    /// Two bytes a number, rounded up or down at random; on the CPU.
    Bf16,
}

/// The `[optimizer]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The update rule. Default: `adamw`.
    pub kind: OptimizerKind,
    /// Peak learning rate, of all parameters but those of Muon. Default: 1e-3.
    pub learning_rate: f64,
    /// Decoupled weight decay of matrices and embeddings; norms and biases have none. Default: 0.1.
    pub weight_decay: f64,
    /// Decay of the first and the second moment of AdamW, default 0.9 and 0.95; of Lion's interpolation and its momentum, default 0.9 and
    /// 0.99. Not with `kind = "sgd"`.
    pub betas: Option<[f64; 2]>,
    /// Added to the root of AdamW's second moment. Default: 1e-8. Only with `kind = "adamw"` and `"muon"`.
    pub eps: Option<f64>,
    /// Momentum of SGD, from 0 to below 1. Default: 0.9. Only with `kind = "sgd"`.
    pub momentum: Option<f64>,
    /// Whether SGD's momentum looks ahead (Nesterov). Default: false. Only with `kind = "sgd"`.
    pub nesterov: Option<bool>,
    /// Largest norm of all gradients together; 0 = no clipping. Default: 1.
    pub clip: f64,
    /// How the moments of AdamW are kept. Default: `f32`.
    pub moments: Moments,
    /// Peak learning rate of Muon. Default: 0.02. Only with `kind = "muon"`.
    pub muon_learning_rate: Option<f64>,
    /// Momentum of Muon. Default: 0.95. Only with `kind = "muon"`.
    pub muon_momentum: Option<f64>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Adamw,
            learning_rate: 1e-3,
            weight_decay: 0.1,
            betas: None,
            eps: None,
            momentum: None,
            nesterov: None,
            clip: 1.0,
            moments: Moments::F32,
            muon_learning_rate: None,
            muon_momentum: None,
        }
    }
}

impl OptimizerConfig {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the key, the value and what is allowed.
    pub fn validate(&self) -> Result<(), TrainError> {
        let from_zero =
            |key, v: f64| check(key, v, "a finite number from 0", v.is_finite() && v >= 0.0);
        let above_zero =
            |key, v: f64| check(key, v, "a finite number above 0", v.is_finite() && v > 0.0);
        let share = |key, v: f64| check(key, v, "from 0 to below 1", (0.0..1.0).contains(&v));
        above_zero("optimizer.learning_rate", self.learning_rate)?;
        from_zero("optimizer.weight_decay", self.weight_decay)?;
        from_zero("optimizer.clip", self.clip)?;
        let kind = self.kind;
        let (sgd, muon) = (kind == OptimizerKind::Sgd, kind == OptimizerKind::Muon);
        let adam = matches!(kind, OptimizerKind::Adamw | OptimizerKind::Muon);
        let only = |key, value: Option<f64>, allowed, ok: bool| match value {
            Some(v) => check(key, v, allowed, ok),
            None => Ok(()),
        };
        let not_sgd = "nothing when optimizer.kind is \"sgd\"";
        let of_sgd = "nothing unless optimizer.kind is \"sgd\"";
        let of_muon = "nothing unless optimizer.kind is \"muon\"";
        let of_adam = "nothing unless optimizer.kind is \"adamw\" or \"muon\"";
        only("optimizer.betas", self.betas.map(|b| b[0]), not_sgd, !sgd)?;
        only("optimizer.eps", self.eps, of_adam, adam)?;
        only("optimizer.momentum", self.momentum, of_sgd, sgd)?;
        if self.nesterov.is_some() && !sgd {
            return Err(refused("optimizer.nesterov", "set", of_sgd));
        }
        if self.nesterov == Some(true) && self.momentum == Some(0.0) {
            let allowed = "false without optimizer.momentum";
            return Err(refused("optimizer.nesterov", "true", allowed));
        }
        if self.moments == Moments::Bf16 && !adam {
            return Err(refused("optimizer.moments", "bf16", of_adam));
        }
        only(
            "optimizer.muon_learning_rate",
            self.muon_learning_rate,
            of_muon,
            muon,
        )?;
        only("optimizer.muon_momentum", self.muon_momentum, of_muon, muon)?;
        let [first, second] = self.betas();
        share("optimizer.betas", first)?;
        share("optimizer.betas", second)?;
        above_zero("optimizer.eps", self.eps())?;
        share("optimizer.momentum", self.momentum.unwrap_or(0.0))?;
        above_zero(
            "optimizer.muon_learning_rate",
            self.muon_learning_rate.unwrap_or(1.0),
        )?;
        share("optimizer.muon_momentum", self.muon_momentum.unwrap_or(0.0))
    }

    /// The two decays, set or by the kind.
    pub(crate) fn betas(&self) -> [f64; 2] {
        self.betas.unwrap_or(match self.kind {
            OptimizerKind::Lion => [0.9, 0.99],
            _ => [0.9, 0.95],
        })
    }

    /// Peak learning rate of Muon, set or not.
    pub fn muon_learning_rate(&self) -> f64 {
        self.muon_learning_rate.unwrap_or(0.02)
    }

    /// What AdamW adds to the root of the second moment.
    pub(crate) fn eps(&self) -> f64 {
        self.eps.unwrap_or(1e-8)
    }
}
