//! Every operation: fused = composed = finite differences, at sizes chosen by hand here and at random ones in `properties`.

mod calls;
mod decoding;
mod draws;
mod processor;
mod products;
mod properties;

use std::sync::Arc;

use burn::prelude::*;

use super::*;
use crate::gradient_check::{check, normal};
use crate::random::{RandomKey, Stream};

#[test]
fn linear_agrees() {
    for rows in [1, 5] {
        let product = |t: &[Tensor<1>]| {
            let (x, w) = (
                t[0].clone().reshape([rows, 4]),
                t[1].clone().reshape([3, 4]),
            );
            linear(x, w, None).reshape([rows * 3])
        };
        check("linear", &product, &[normal(1, rows * 4), normal(2, 12)]);
        let biased = |t: &[Tensor<1>]| {
            let (x, w) = (
                t[0].clone().reshape([rows, 4]),
                t[1].clone().reshape([3, 4]),
            );
            linear(x, w, Some(t[2].clone())).reshape([rows * 3])
        };
        check(
            "linear with bias",
            &biased,
            &[normal(1, rows * 4), normal(2, 12), normal(3, 3)],
        );
    }
}

#[test]
fn norms_agree() {
    // Wider than the partial sums of the vector code, and no multiple of them, in the last case.
    for (rows, width) in [(1, 6), (20, 5), (3, 69)] {
        let x = || normal(1, rows * width);
        let rms = |t: &[Tensor<1>]| {
            rms_norm(t[0].clone().reshape([rows, width]), t[1].clone(), 1e-5)
                .reshape([rows * width])
        };
        check("rms_norm", &rms, &[x(), normal(2, width)]);
        let layer = |t: &[Tensor<1>]| {
            let x = t[0].clone().reshape([rows, 1, width]);
            layer_norm(x, t[1].clone(), t[2].clone(), 1e-5).reshape([rows * width])
        };
        check(
            "layer_norm",
            &layer,
            &[x(), normal(2, width), normal(3, width)],
        );
    }
}

#[test]
fn cross_entropy_agrees() {
    let targets = [3, 0, 6, 2, 2];
    let plain = CrossEntropyOptions::default();
    for label_smoothing in [0.0, 0.1] {
        for z_loss in [0.0, 1e-2] {
            let options = CrossEntropyOptions {
                label_smoothing,
                z_loss,
            };
            let loss = |t: &[Tensor<1>]| {
                let targets = Tensor::<1, Int>::from_ints(targets, &t[0].device());
                cross_entropy(t[0].clone().reshape([5, 7]), targets, options)
            };
            check(
                &format!("cross_entropy, {options:?}"),
                &loss,
                &[normal(1, 35)],
            );
        }
    }
    let wide = |t: &[Tensor<1>]| {
        let targets = Tensor::<1, Int>::from_ints([69, 0, 33], &t[0].device());
        cross_entropy(t[0].clone().reshape([3, 70]), targets, plain)
    };
    check("cross_entropy of 70", &wide, &[normal(1, 210)]);
    // The logits are often the result of another operation, whose buffer the kernel may take over.
    let scaled = |t: &[Tensor<1>]| {
        let targets = Tensor::<1, Int>::from_ints(targets, &t[0].device());
        cross_entropy(t[0].clone().reshape([5, 7]).mul_scalar(3.0), targets, plain)
    };
    check("cross_entropy of a product", &scaled, &[normal(1, 35)]);
}

#[test]
fn cross_entropy_leaves_the_callers_logits_alone() {
    let device = Device::flex().autodiff();
    let logits = Tensor::<2>::from_floats([[1.0, 2.0, 3.0]], &device).require_grad();
    let before = logits.to_data();
    let loss = cross_entropy(
        logits.clone(),
        Tensor::from_ints([1], &device),
        CrossEntropyOptions::default(),
    );
    logits.to_data().assert_eq(&before, true);
    loss.sum().backward();
    logits.to_data().assert_eq(&before, true);
}

#[test]
fn extreme_logits_give_finite_losses() {
    let device = Device::flex();
    let logits = Tensor::<2>::from_floats([[1e30, -1e30, 0.0], [-1e4, -1e4, -1e4]], &device);
    let loss = cross_entropy(
        logits,
        Tensor::from_ints([0, 2], &device),
        CrossEntropyOptions::default(),
    );
    loss.into_data().assert_approx_eq::<f32>(
        &TensorData::from([0.0f32, 3f32.ln()]),
        burn::tensor::Tolerance::absolute(1e-5),
    );
}

#[test]
fn attention_agrees() {
    // More than one block of query rows in the last case.
    for (batch, s, t, heads, kv_heads, d) in [
        (2, 5, 5, 4, 2, 3),
        (1, 1, 6, 2, 1, 4),
        (1, 3, 7, 2, 2, 2),
        (1, 70, 70, 1, 1, 2),
    ] {
        for causal in [true, false] {
            for window in [None, Some(1), Some(3), Some(66)] {
                let options = AttentionOptions {
                    scale: 0.7,
                    causal,
                    window,
                    first_keys: None,
                    dropout: None,
                };
                let f = |x: &[Tensor<1>]| {
                    let q = x[0].clone().reshape([batch, s, heads, d]);
                    let kv = |x: &Tensor<1>| x.clone().reshape([batch, t, kv_heads, d]);
                    attention(q, kv(&x[1]), kv(&x[2]), options.clone())
                        .reshape([batch * s * heads * d])
                };
                let (q, kv) = (batch * s * heads * d, batch * t * kv_heads * d);
                check(
                    &format!("attention {s} × {t}, {options:?}"),
                    &f,
                    &[normal(1, q), normal(2, kv), normal(3, kv)],
                );
            }
        }
    }
}

#[test]
fn attention_within_documents_and_with_dropout_agrees() {
    let mask = DropoutMask::new(RandomKey::new(3, Stream::Dropout), 0.3);
    for (s, t, kv_heads, d) in [(6, 6, 2, 3), (3, 8, 1, 4), (70, 70, 1, 2)] {
        let heads = 2;
        // Documents of five tokens and of two, beginning at keys; queries are the last positions.
        let first = |length: usize| (0..s).map(move |i| ((i + t - s) / length * length) as u32);
        let documents: Arc<[u32]> = first(5).chain(first(2)).collect();
        for (first_keys, dropout) in [
            (Some(&documents), None),
            (None, Some(mask)),
            (Some(&documents), Some(mask)),
        ] {
            let options = AttentionOptions {
                window: Some(4),
                first_keys: first_keys.cloned(),
                dropout,
                ..AttentionOptions::causal(0.7)
            };
            let f = |x: &[Tensor<1>]| {
                let q = x[0].clone().reshape([2, s, heads, d]);
                let kv = |x: &Tensor<1>| x.clone().reshape([2, t, kv_heads, d]);
                attention(q, kv(&x[1]), kv(&x[2]), options.clone()).reshape([2 * s * heads * d])
            };
            let (q, kv) = (2 * s * heads * d, 2 * t * kv_heads * d);
            check(
                &format!("attention {s} × {t}, {options:?}"),
                &f,
                &[normal(1, q), normal(2, kv), normal(3, kv)],
            );
        }
    }
}

/// Oracle: the same queries over the keys of their document only, in a pass of its own.
#[test]
fn a_document_is_mixed_as_if_it_stood_alone() {
    let device = Device::flex();
    let x = |seed| {
        let values: Vec<f32> = normal(seed, 9 * 4).iter().map(|&v| v as f32).collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, 9, 2, 2]), &device)
    };
    let [q, k, v] = [1, 2, 3].map(x);
    let options = AttentionOptions::causal(0.5);
    let packed = AttentionOptions {
        first_keys: Some([0, 0, 0, 0, 4, 4, 6, 6, 6].into()),
        ..options.clone()
    };
    let packed = attention(q.clone(), k.clone(), v.clone(), packed);
    for document in [0..4, 4..6, 6..9] {
        let of = |x: &Tensor<4>| x.clone().slice(s![.., document.clone(), .., ..]);
        let alone = attention(of(&q), of(&k), of(&v), options.clone());
        of(&packed)
            .into_data()
            .assert_approx_eq::<f32>(&alone.into_data(), burn::tensor::Tolerance::absolute(1e-6));
    }
}

#[test]
#[should_panic(expected = "a query that sees nothing")]
fn a_first_key_behind_its_query_is_refused() {
    let x = || Tensor::<4>::zeros([1, 2, 1, 2], &Device::flex());
    let options = AttentionOptions {
        first_keys: Some([0, 2].into()),
        ..AttentionOptions::causal(1.0)
    };
    attention(x(), x(), x(), options);
}

#[test]
fn rotation_agrees() {
    for rows in [1, 2] {
        let f = |x: &[Tensor<1>]| {
            let angles: Vec<f64> = normal(4, rows * 3 * 2);
            let table = |function: fn(f64) -> f64| {
                let values: Vec<f64> = angles.iter().map(|&a| function(a)).collect();
                Tensor::<3>::from_data(
                    TensorData::new(values, [rows, 3, 2]),
                    (&x[0].device(), x[0].dtype()),
                )
            };
            rotate_half(
                x[0].clone().reshape([2, 3, 2, 4]),
                table(f64::cos),
                table(f64::sin),
            )
            .reshape([48])
        };
        check("rotate_half", &f, &[normal(1, 48)]);
    }
}

#[test]
fn activations_agree() {
    for kind in [
        ActivationKind::Gelu,
        ActivationKind::GeluTanh,
        ActivationKind::Silu,
        ActivationKind::Relu,
    ] {
        let x: Vec<f64> = normal(1, 40).into_iter().map(|v| v * 3.0).collect();
        check(
            &format!("{kind:?}"),
            &|t| activation(t[0].clone(), kind),
            &[x],
        );
    }
}

#[test]
fn swiglu_agrees() {
    let triple = |seed| normal(seed, 40).into_iter().map(|v| v * 3.0).collect();
    check(
        "swiglu",
        &|t| swiglu(t[0].clone(), t[1].clone()),
        &[triple(1), triple(2)],
    );
}

#[test]
fn adamw_on_flex_equals_the_composed_form() {
    let device = Device::flex();
    let run = |dtype: burn::tensor::DType| -> Vec<f64> {
        let tensor = |seed, positive: bool| {
            let values = normal(seed, 30)
                .into_iter()
                .map(|v| if positive { v * v } else { v })
                .collect::<Vec<_>>();
            Tensor::<2>::from_data(TensorData::new(values, [5, 6]), (&device, dtype))
        };
        let (mut p, mut moments) = (tensor(1, false), [tensor(2, false), tensor(3, true)]);
        for step in 1..=3 {
            let step = AdamWStep {
                learning_rate: 0.1,
                betas: [0.9, 0.99],
                eps: 1e-8,
                weight_decay: 0.1,
                step,
                gradient_scale: 0.5,
            };
            (p, moments) = adamw(p, tensor(4 + step.step, false), moments, &step);
        }
        p.cast(burn::tensor::FloatDType::F64)
            .into_data()
            .try_to_vec()
            .expect("f64")
    };
    let (fused, composed) = (run(burn::tensor::DType::F32), run(burn::tensor::DType::F64));
    assert!(
        fused
            .iter()
            .zip(&composed)
            .all(|(a, b)| (a - b).abs() < 1e-5),
        "{fused:?}\n{composed:?}"
    );
}

#[test]
fn sums_of_squares_do_not_depend_on_threads_and_show_what_is_not_finite() {
    let device = Device::flex();
    let values: Vec<f32> = normal(1, 100_003).into_iter().map(|v| v as f32).collect();
    let x = || Tensor::<1>::from_floats(values.as_slice(), &device);
    let exact: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        pool.install(|| sum_of_squares(x()))
    };
    assert!((on(1) - exact).abs() / exact < 1e-12);
    assert_eq!(on(1).to_bits(), on(7).to_bits());
    assert!(!sum_of_squares(Tensor::<1>::from_floats([1.0, f32::NAN], &device)).is_finite());
    assert!(!sum_of_squares(Tensor::<1>::from_floats([f32::NEG_INFINITY], &device)).is_finite());
}

#[test]
fn orthogonalization_on_flex_equals_the_composed_form() {
    let device = Device::flex();
    for [rows, columns] in [[7, 7], [5, 40], [40, 5], [1, 9], [9, 1]] {
        let run = |dtype: burn::tensor::DType| -> Vec<f64> {
            let data = TensorData::new(normal(1, rows * columns), [rows, columns]);
            orthogonalize(Tensor::<2>::from_data(data, (&device, dtype)))
                .cast(burn::tensor::FloatDType::F64)
                .into_data()
                .try_to_vec()
                .expect("f64")
        };
        let (fused, composed) = (run(burn::tensor::DType::F32), run(burn::tensor::DType::F64));
        let off = fused
            .iter()
            .zip(&composed)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        // The iteration amplifies the rounding of f32.
        assert!(off < 1e-4, "{rows} × {columns}: {off:e} off");
    }
}
