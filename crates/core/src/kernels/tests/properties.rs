//! What holds for every kernel at random sizes: vector widths and those beside them, one row, one column, one head, a window of one.
//!
//! The seed is fixed, so that a run in CI repeats itself; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` search further. A failure prints the
//! smallest call found.

use std::sync::LazyLock;

use burn::tensor::DType;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngSeed, TestCaseResult, TestRunner};
use rayon::ThreadPool;

use super::calls::*;
use super::draws::*;
use crate::gradient_check::normal;
use crate::kernels::ActivationKind;

macro_rules! properties {
    ($($name:ident: $kernels:path;)*) => {
        $(
            mod $name {
                use super::*;

                #[test]
                fn fused_is_composed() {
                    for_all(128, calls($kernels(Sizes::Edges), Just(Values::Normal)), |call| super::fused_is_composed(call));
                }

                #[test]
                fn bits_do_not_depend_on_threads() {
                    for_all(16, calls($kernels(Sizes::Large), Just(Values::Normal)), |call| super::bits_do_not_depend_on_threads(call));
                }

                #[test]
                fn extreme_inputs_give_finite_results() {
                    for_all(128, calls($kernels(Sizes::Edges), extremes()), |call| super::extreme_inputs_give_finite_results(call));
                }
            }
        )*
    };
}

properties! {
    linear: linears;
    rms_norm: rms_norms;
    layer_norm: layer_norms;
    cross_entropy: cross_entropies;
    attention: attentions;
    rotate_half: rotations;
    activation: activations;
    swiglu: swiglus;
    adamw: adamw_steps;
    sum_of_squares: sums_of_squares;
    orthogonalize: orthogonalizations;
}

fn calls(
    kernels: impl Strategy<Value = Kernel>,
    values: impl Strategy<Value = Values>,
) -> impl Strategy<Value = Call> {
    (kernels, views(), values, 0u64..1 << 32).prop_map(|(kernel, view, values, seed)| Call {
        kernel,
        view,
        values,
        seed,
    })
}

fn extremes() -> impl Strategy<Value = Values> {
    prop_oneof![
        3 => Just(Values::Mixed),
        2 => select(&[1e4, 1e15, 1e-20, 1e-40][..]).prop_map(Values::Scaled),
        2 => select(&[0.0, 1e4, -1e4, 1e15, 1e-40][..]).prop_map(Values::Same),
    ]
}

/// Runs a property on `cases` draws, or as many as `PROPTEST_CASES` says.
#[track_caller]
pub(super) fn for_all<T: std::fmt::Debug>(
    cases: u32,
    draws: impl Strategy<Value = T>,
    property: impl Fn(&T) -> TestCaseResult,
) {
    let mut config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 500,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(42);
    }
    let outcome = TestRunner::new(config).run(&draws, |draw| property(&draw));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

fn name(which: usize) -> String {
    match which {
        0 => "output".to_owned(),
        _ => format!("gradient {}", which - 1),
    }
}

/// Not a number when any value is none.
fn largest(values: &[f64]) -> f64 {
    let worse = |a: f64, b: f64| if b > a || b.is_nan() { b } else { a };
    values.iter().map(|v| v.abs()).fold(0.0, worse)
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// Fused in f32 against composed in f64, within [`Kernel::tolerance`], and the composed gradients against a finite difference along a
/// random direction, within 1e-6 of the terms of the sum.
fn fused_is_composed(call: &Call) -> TestCaseResult {
    let inputs = call.inputs();
    let fused = call.run(&inputs, DType::F32);
    let composed = call.run(&inputs, DType::F64);
    for (which, (fused, composed)) in fused.iter().zip(&composed).enumerate() {
        let off = largest(&difference(fused, composed)) / largest(composed).max(1.0);
        prop_assert!(
            off <= call.kernel.tolerance(),
            "fused {} is {off:e} off the composed one",
            name(which)
        );
    }
    let without_training = call.output(&inputs, DType::F32);
    let off =
        largest(&difference(&without_training, &composed[0])) / largest(&composed[0]).max(1.0);
    prop_assert!(
        off <= call.kernel.tolerance(),
        "without training, the output is {off:e} off"
    );

    let directions: Vec<Vec<f64>> = (0..)
        .zip(&inputs)
        .map(|(i, x)| normal(call.seed + 200 + i, x.len()))
        .collect();
    let terms: Vec<f64> = composed[1..]
        .iter()
        .flatten()
        .zip(directions.iter().flatten())
        .map(|(gradient, direction)| gradient * direction)
        .collect();
    let (slope, along) = (call.slope(&inputs, &directions), terms.iter().sum::<f64>());
    let size = terms.iter().map(|term| term.abs()).sum::<f64>();
    prop_assert!(
        terms.is_empty() || (slope - along).abs() <= 1e-6 * size.max(1.0),
        "composed gradients give a slope of {along}, the finite difference is {slope}"
    );
    Ok(())
}

fn bits_do_not_depend_on_threads(call: &Call) -> TestCaseResult {
    static POOLS: LazyLock<Vec<ThreadPool>> = LazyLock::new(|| {
        [1, 2, 3, 5]
            .iter()
            .map(|&threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build().expect("threads")
            })
            .collect()
    });
    let inputs = call.inputs();
    let bits = |pool: &ThreadPool| -> Vec<Vec<u64>> {
        let results = pool.install(|| call.run(&inputs, DType::F32));
        let bits = |values: &Vec<f64>| values.iter().map(|v| v.to_bits()).collect();
        results.iter().map(bits).collect()
    };
    let one = bits(&POOLS[0]);
    for pool in &POOLS[1..] {
        for (which, (many, one)) in bits(pool).iter().zip(&one).enumerate() {
            let first = many.iter().zip(one).position(|(many, one)| many != one);
            prop_assert!(
                first.is_none(),
                "{} has other bits on {} threads, first at value {first:?}",
                name(which),
                pool.current_num_threads()
            );
        }
    }
    Ok(())
}

/// Large, denormal and equal values: everything finite, and the output as near to the composed one as its rounding allows.
fn extreme_inputs_give_finite_results(call: &Call) -> TestCaseResult {
    let inputs = call.inputs();
    let fused = call.run(&inputs, DType::F32);
    for (which, values) in fused.iter().enumerate() {
        prop_assert!(largest(values).is_finite(), "{} is not finite", name(which));
    }
    let composed = call.output(&inputs, DType::F64);
    let without_training = call.output(&inputs, DType::F32);
    let offs = [&fused[0], &without_training].map(|fused| largest(&difference(fused, &composed)));
    let off = largest(&offs);
    let allowed = call.kernel.tolerance() * largest(&composed) + rounding(call, &inputs, &composed);
    prop_assert!(
        off <= allowed,
        "output is {off:e} off, more than {allowed:e}"
    );

    // The probabilities behind the gradients must be those of the output, whatever the size of the scores.
    match call.kernel {
        Kernel::Attention { dropout: None, .. } => {
            let most = largest(&inputs[2]);
            prop_assert!(
                largest(&fused[0]) <= most * (1.0 + 1e-5) + LOST,
                "an average of values is larger than every one of them"
            );
            let upstream = call.upstream(fused[0].len());
            let (sum, expected) = (fused[3].iter().sum::<f64>(), upstream.iter().sum::<f64>());
            let size = upstream.iter().map(|v| v.abs()).sum::<f64>();
            prop_assert!(
                (sum - expected).abs() <= 1e-5 * size,
                "probabilities do not add up to one: gradients by the values sum to {sum}, not {expected}"
            );
        }
        Kernel::CrossEntropy { options, .. } if options.z_loss == 0.0 => {
            let sum = fused[1].iter().sum::<f64>();
            let size = call
                .upstream(fused[0].len())
                .iter()
                .map(|v| v.abs())
                .sum::<f64>();
            prop_assert!(
                sum.abs() <= 1e-5 * size,
                "probabilities do not add up to one: gradients sum to {sum}"
            );
        }
        _ => {}
    }
    Ok(())
}

/// Of no account beside anything: denormal numbers may become zero, and `exp` of 10⁴ is no more than 1e38 where it is a divisor.
const LOST: f64 = 1e-30;

/// How far rounding to f32 inside a kernel may move its output beside extreme inputs.
fn rounding(call: &Call, inputs: &[Vec<f64>], composed: &[f64]) -> f64 {
    let last_bit = f64::from(f32::EPSILON);
    if let Kernel::Attention { d, dropout, .. } = call.kernel {
        let scale = 1.0 / (d as f64).sqrt();
        // A score is a sum of d products. Where all scores move by that much, the factor of a value moves by the exponential of twice it.
        let terms = d as f64 * largest(&inputs[0]) * largest(&inputs[1]) * scale;
        let moved = (d + 2) as f64 * last_bit * terms;
        let largest_factor = 1.0 / (1.0 - dropout.unwrap_or(0.0));
        return (2.0 * moved).exp_m1().min(1.0) * 2.0 * largest_factor * largest(&inputs[2]) + LOST;
    }
    // Sixteen times what inputs moved by their last bit change.
    let moved = (0..2).map(|draw| {
        let inputs: Vec<Vec<f64>> = (0..)
            .zip(inputs)
            .map(|(i, x)| {
                let signs = normal(call.seed + 300 + 10 * draw + i, x.len());
                x.iter()
                    .zip(signs)
                    .map(|(x, sign)| x * (1.0 + last_bit * sign.signum()))
                    .collect()
            })
            .collect();
        largest(&difference(&call.output(&inputs, DType::F64), composed))
    });
    16.0 * moved.fold(0.0, f64::max) + LOST
}

/// Element by element, up to the largest numbers: output within 1e-6 of the input or of 1, derivative within 1e-5.
#[test]
fn activations_of_any_size_are_right() {
    let kinds = vec![
        ActivationKind::Gelu,
        ActivationKind::GeluTanh,
        ActivationKind::Silu,
        ActivationKind::Relu,
    ];
    let number = (-40.0f64..30.0, any::<bool>()).prop_map(|(exponent, negative)| {
        let size = 10f64.powf(exponent);
        f64::from((if negative { -size } else { size }) as f32)
    });
    let numbers = proptest::collection::vec(number, 1..70);
    for_all(256, (select(kinds), numbers), |(kind, x)| {
        let call = Call {
            kernel: Kernel::Activation {
                rows: 1,
                width: x.len(),
                kind: *kind,
            },
            view: View::Whole,
            values: Values::Normal,
            seed: 1,
        };
        let [fused, exact] = [DType::F32, DType::F64].map(|d| call.run(std::slice::from_ref(x), d));
        let upstream = call.upstream(x.len());
        for (i, &x) in x.iter().enumerate() {
            let off = (fused[0][i] - exact[0][i]).abs();
            prop_assert!(
                off <= 1e-6 * x.abs().max(1.0),
                "f({x:e}) is {:e}, not {:e}",
                fused[0][i],
                exact[0][i]
            );
            let off = (fused[1][i] - exact[1][i]).abs();
            prop_assert!(
                off <= 1e-5 * upstream[i].abs(),
                "f'({x:e}) · {} is {:e}, not {:e}",
                upstream[i],
                fused[1][i],
                exact[1][i]
            );
        }
        Ok(())
    });
}
