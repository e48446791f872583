//! Gradients of all parameters together: their norm, and the first that is not finite.

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use llm_core::kernels::sum_of_squares;
use llm_core::parameters::ParameterPath;
use rayon::prelude::*;

/// Euclidean norm of all gradients as one vector.
///
/// # Errors
/// The name of the first gradient that is not finite, in the order of the model.
pub(crate) fn global_norm(
    module: &impl Module,
    gradients: &GradientsParams,
) -> Result<f64, String> {
    let mut collector = Collector {
        gradients,
        at: ParameterPath::default(),
        collected: Vec::new(),
    };
    module.visit(&mut collector);
    let squares: Vec<(String, f64)> = collector
        .collected
        .into_par_iter()
        .map(|(path, gradient)| (path, sum_of_squares(gradient)))
        .collect();
    let mut total = 0.0;
    for (path, squares) in squares {
        if !squares.is_finite() {
            return Err(path);
        }
        total += squares;
    }
    Ok(total.sqrt())
}

/// What the gradients are multiplied by so that their norm is at most `clip`; 0 clips nothing. As PyTorch's `clip_grad_norm_`.
pub(crate) fn clip_factor(norm: f64, clip: f64) -> f64 {
    if clip == 0.0 {
        1.0
    } else {
        (clip / (norm + 1e-6)).min(1.0)
    }
}

/// Gathers the gradients, flat, with the paths of their parameters.
struct Collector<'a> {
    gradients: &'a GradientsParams,
    at: ParameterPath,
    collected: Vec<(String, Tensor<1>)>,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(parameter.id) {
            let length = gradient.dims().iter().product::<usize>();
            self.collected
                .push((self.at.current(), gradient.reshape([length])));
        }
    }
}

/// The first parameter that is not finite, in the order of the model.
pub(crate) fn first_not_finite(module: &impl Module) -> Option<String> {
    struct Search {
        at: ParameterPath,
        found: Option<String>,
    }

    impl ModuleVisitor for Search {
        fn enter_module(&mut self, name: &str, container_type: &str) {
            self.at.enter(name, container_type);
        }

        fn exit_module(&mut self, _: &str, container_type: &str) {
            self.at.exit(container_type);
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            if self.found.is_none() && !sum_of_squares(parameter.val().inner()).is_finite() {
                self.found = Some(self.at.current());
            }
        }
    }

    let mut search = Search {
        at: ParameterPath::default(),
        found: None,
    };
    module.visit(&mut search);
    search.found
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::ParamId;
    use serde::Deserialize;

    #[derive(Module, Debug)]
    struct Weights {
        weights: Vec<Param<Tensor<1>>>,
    }

    #[derive(Deserialize)]
    struct Golden {
        clip_grad_norm: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        max_norm: f64,
        gradients: Vec<Array>,
        norm: f64,
        clipped: Vec<Array>,
    }

    #[derive(Deserialize)]
    struct Array {
        values: Vec<f64>,
    }

    /// Parameters of zeros, and these gradients of theirs.
    fn with_gradients<'a>(values: impl Iterator<Item = &'a [f64]>) -> (Weights, GradientsParams) {
        let device = Device::flex();
        let (mut weights, mut gradients) = (Vec::new(), GradientsParams::new());
        for values in values {
            let id = ParamId::new();
            let data = TensorData::new(values.to_vec(), [values.len()]);
            gradients.register(id, Tensor::<1>::from_data(data, &device));
            let zeros = Tensor::zeros([values.len()], &device);
            weights.push(Param::initialized(id, zeros));
        }
        (Weights { weights }, gradients)
    }

    #[test]
    fn gradients_are_clipped_as_by_pytorch() {
        let golden: Golden = serde_json::from_str(include_str!("../tests/golden/optimizers.json"))
            .expect("golden values");
        assert!(golden.clip_grad_norm.len() >= 2);
        for case in golden.clip_grad_norm {
            let values = case.gradients.iter().map(|array| array.values.as_slice());
            let (weights, gradients) = with_gradients(values);
            let norm = global_norm(&weights, &gradients).expect("finite");
            // The gradients are rounded to f32, which carries 6e-8.
            let off = (norm / case.norm - 1.0).abs();
            assert!(off < 1e-6, "{}: norm {norm}", case.name);
            let factor = clip_factor(norm, case.max_norm);
            for (before, after) in case.gradients.iter().zip(&case.clipped) {
                for (before, after) in before.values.iter().zip(&after.values) {
                    let ours = before * factor;
                    assert!(
                        (ours - after).abs() <= 1e-6 * after.abs(),
                        "{}: {ours} against {after}",
                        case.name
                    );
                }
            }
        }
    }

    #[test]
    fn a_limit_of_zero_clips_nothing() {
        assert_eq!(clip_factor(1e9, 0.0), 1.0);
    }

    #[test]
    fn the_first_gradient_that_is_not_finite_is_named() {
        let values: [&[f64]; 3] = [&[1.0, 2.0], &[3.0, f64::NAN], &[f64::INFINITY]];
        let (weights, gradients) = with_gradients(values.into_iter());
        assert_eq!(global_norm(&weights, &gradients), Err("weights.1".into()));
    }
}
