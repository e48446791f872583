//! Muon: momentum whose matrix is replaced by the nearest orthogonal one before it is added.
//!
//! Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with Nesterov momentum, five Newton–Schulz
//! steps and the factor `√max(1, rows / columns)`, rows being outputs.

use burn::prelude::*;
use llm_core::kernels::orthogonalize;

/// Numbers of one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) learning_rate: f64,
    pub(super) momentum: f64,
    pub(super) weight_decay: f64,
    pub(super) gradient_scale: f64,
}

/// The parameter `[rows, columns]` and its momentum after one step.
pub(super) fn update(
    parameter: Tensor<2>,
    gradient: Tensor<2>,
    momentum: Tensor<2>,
    step: &Step,
) -> (Tensor<2>, Tensor<2>) {
    let [rows, columns] = parameter.dims();
    let gradient = gradient.mul_scalar((1.0 - step.momentum) * step.gradient_scale);
    let momentum = momentum.mul_scalar(step.momentum) + gradient.clone();
    let direction = orthogonalize(momentum.clone().mul_scalar(step.momentum) + gradient);
    let size = (rows as f64 / columns as f64).max(1.0).sqrt();
    let decayed = parameter.mul_scalar(1.0 - step.learning_rate * step.weight_decay);
    (
        decayed - direction.mul_scalar(step.learning_rate * size),
        momentum,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Golden {
        muon: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        settings: Settings,
        learning_rates: Vec<f64>,
        parameter: Array,
        gradients: Vec<Array>,
        orthogonalized_first_gradient: Array,
        after: Vec<Array>,
    }

    #[derive(Deserialize)]
    struct Settings {
        momentum: f64,
        nesterov: bool,
        weight_decay: f64,
        adjust: String,
    }

    #[derive(Deserialize)]
    struct Array {
        shape: [usize; 2],
        values: Vec<f64>,
    }

    impl Array {
        fn tensor(&self) -> Tensor<2> {
            Tensor::from_data(
                TensorData::new(self.values.clone(), self.shape),
                &Device::flex(),
            )
        }

        #[track_caller]
        fn check(&self, ours: Tensor<2>, name: &str) {
            let ours: Vec<f32> = ours.into_data().try_to_vec().expect("f32");
            let off = ours
                .iter()
                .zip(&self.values)
                .map(|(a, b)| (f64::from(*a) - b).abs())
                .fold(0.0, f64::max);
            // The iteration amplifies the rounding of f32 against their f64.
            assert!(off < 2e-5, "{name}: {off} off");
        }
    }

    #[test]
    fn it_goes_the_way_of_the_reference() {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/optimizers.json"))
                .expect("golden values");
        let ours = golden
            .muon
            .iter()
            .filter(|case| case.settings.nesterov && case.settings.adjust == "original");
        assert!(ours.clone().count() >= 2);
        for case in ours {
            case.orthogonalized_first_gradient
                .check(orthogonalize(case.gradients[0].tensor()), &case.name);
            let mut parameter = case.parameter.tensor();
            let mut momentum = parameter.zeros_like();
            for ((&learning_rate, gradient), after) in case
                .learning_rates
                .iter()
                .zip(&case.gradients)
                .zip(&case.after)
            {
                let step = Step {
                    learning_rate,
                    momentum: case.settings.momentum,
                    weight_decay: case.settings.weight_decay,
                    gradient_scale: 1.0,
                };
                (parameter, momentum) = update(parameter, gradient.tensor(), momentum, &step);
                after.check(parameter.clone(), &case.name);
            }
        }
    }
}
