//! A moving average of the weights, which is what a run that keeps one evaluates and saves.
//!
//! Source: Polyak and Juditsky 1992, "Acceleration of Stochastic Approximation by Averaging"; the decay grows from 2/11 as in TensorFlow's
//! `ExponentialMovingAverage` with `num_updates`, so that the first weights are forgotten.

use std::collections::BTreeMap;

use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use llm_core::parameters::ParameterPath;
use rayon::prelude::*;

/// `average ← decay · average + (1 - decay) · weight` of every parameter, after each step.
#[derive(Debug)]
pub(crate) struct Average {
    decay: f64,
    /// Flat, by parameter path.
    values: BTreeMap<String, Tensor<1>>,
}

impl Average {
    /// The average with the values of a checkpoint, or those of `model` where there are none.
    pub(crate) fn new(
        decay: f64,
        values: BTreeMap<String, Tensor<1>>,
        model: &impl Module,
    ) -> Self {
        let values = match values {
            none if none.is_empty() => weights(model).into_iter().collect(),
            values => values,
        };
        Self { decay, values }
    }

    pub(crate) fn values(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.values
    }

    /// Takes in the weights after step number `step`, from 1.
    pub(crate) fn update(&mut self, model: &impl Module, step: u64) {
        let decay = self.decay.min((1 + step) as f64 / (10 + step) as f64);
        let mut old = std::mem::take(&mut self.values);
        let pairs: Vec<_> = weights(model)
            .into_iter()
            .map(|(path, weight)| (old.remove(&path), path, weight))
            .collect();
        self.values = pairs
            .into_par_iter()
            .map(|(average, path, weight)| match average {
                Some(average) => {
                    let average = average.mul_scalar(decay) + weight.mul_scalar(1.0 - decay);
                    (path, average)
                }
                None => (path, weight),
            })
            .collect();
    }

    /// `model` with the averages for weights.
    pub(crate) fn put_into<M: Module>(&self, model: M) -> M {
        model.map(&mut Putter {
            values: &self.values,
            at: ParameterPath::default(),
        })
    }
}

/// The parameters of a model, flat, in the order of their paths.
fn weights(model: &impl Module) -> BTreeMap<String, Tensor<1>> {
    struct Collector {
        at: ParameterPath,
        found: BTreeMap<String, Tensor<1>>,
    }

    impl ModuleVisitor for Collector {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.at.enter(name, container_type);
        }

        fn exit_module(&mut self, _: &str, container_type: &str) {
            self.at.exit(container_type);
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let value = parameter.val().inner();
            let length = value.dims().iter().product::<usize>();
            self.found
                .insert(self.at.current(), value.reshape([length]));
        }
    }

    let mut collector = Collector {
        at: ParameterPath::default(),
        found: BTreeMap::new(),
    };
    model.visit(&mut collector);
    collector.found
}

struct Putter<'a> {
    values: &'a BTreeMap<String, Tensor<1>>,
    at: ParameterPath,
}

impl ModuleMapper for Putter<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(average) = self.values.get(&self.at.current()) else {
            return parameter;
        };
        let average = average.clone();
        parameter.map(|value| average.reshape(value.dims()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::ParamId;

    #[derive(Module, Debug)]
    struct One {
        weight: Param<Tensor<2>>,
    }

    fn one(value: f32) -> One {
        let value = Tensor::full([2, 2], value, &Device::flex());
        One {
            weight: Param::initialized(ParamId::new(), value),
        }
    }

    /// Oracle: the recurrence in plain numbers.
    #[test]
    fn the_average_is_that_of_the_recurrence() {
        let mut average = Average::new(0.5, BTreeMap::new(), &one(1.0));
        let mut expected = 1.0f64;
        for (step, weight) in (1u64..).zip([2.0f32, -3.0, 8.0, 0.5, 4.0, 4.0, 7.0, 1.0]) {
            average.update(&one(weight), step);
            let decay = f64::min(0.5, (1 + step) as f64 / (10 + step) as f64);
            expected = decay * expected + (1.0 - decay) * f64::from(weight);
            let ours = average.put_into(one(0.0)).weight.val().into_data();
            let ours: Vec<f32> = ours.try_to_vec().expect("f32");
            assert!(
                ours.iter().all(|v| (f64::from(*v) - expected).abs() < 1e-5),
                "step {step}: {ours:?}, not {expected}"
            );
        }
    }

    #[test]
    fn an_average_goes_on_from_the_values_of_a_checkpoint() {
        let mut one_go = Average::new(0.9, BTreeMap::new(), &one(1.0));
        one_go.update(&one(2.0), 1);
        let mut resumed = Average::new(0.9, one_go.values().clone(), &one(5.0));
        one_go.update(&one(3.0), 2);
        resumed.update(&one(3.0), 2);
        let [a, b] = [one_go, resumed].map(|a| a.put_into(one(0.0)).weight.val().into_data());
        assert_eq!(a, b);
    }
}
