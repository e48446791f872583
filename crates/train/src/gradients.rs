//! Gradients of all parameters together: their norm, and the first that is not finite.

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;
use llm_core::kernels::sum_of_squares;
use llm_core::parameters::ParameterPath;

/// Euclidean norm of all gradients as one vector.
///
/// # Errors
/// The name of the first gradient that is not finite, in the order of the model.
pub(crate) fn global_norm(
    module: &impl Module,
    gradients: &GradientsParams,
) -> Result<f64, String> {
    let mut norm = GlobalNorm {
        gradients,
        at: ParameterPath::default(),
        squares: 0.0,
        not_finite: None,
    };
    module.visit(&mut norm);
    match norm.not_finite {
        Some(path) => Err(path),
        None => Ok(norm.squares.sqrt()),
    }
}

/// What the gradients are multiplied by so that their norm is at most `clip`; 0 clips nothing. As PyTorch's `clip_grad_norm_`.
pub(crate) fn clip_factor(norm: f64, clip: f64) -> f64 {
    if clip == 0.0 {
        1.0
    } else {
        (clip / (norm + 1e-6)).min(1.0)
    }
}

struct GlobalNorm<'a> {
    gradients: &'a GradientsParams,
    at: ParameterPath,
    squares: f64,
    not_finite: Option<String>,
}

impl ModuleVisitor for GlobalNorm<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.enter(name, container_type);
    }

    fn exit_module(&mut self, _: &str, container_type: &str) {
        self.at.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(parameter.id) else {
            return;
        };
        let squares = sum_of_squares(gradient);
        if !squares.is_finite() && self.not_finite.is_none() {
            self.not_finite = Some(self.at.current());
        }
        self.squares += squares;
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
