//! Kernels and their gradients against PyTorch's autograd in f64 (`xtask/golden/layers.py`).
//!
//! Flex has fused passes for f32; in f64 the same functions take the composed form. Tolerances are relative to the largest value of a
//! tensor:
//! - f32: 1e-5. An f32 carries 6e-8; sums over a few dozen terms, the rounding of the inputs, and exponentials lose about two more digits.
//! - f64: 1e-9. The files keep twelve decimals of the attention; the rest is rounding at 1e-16.

use std::path::Path;

use burn::prelude::*;
use burn::tensor::{DType, FloatDType};
use llm_core::kernels::{
    ActivationKind, AttentionOptions, CrossEntropyOptions, activation, attention, cross_entropy,
    layer_norm, rms_norm,
};
use serde_json::Value;

const PRECISIONS: [(DType, f64); 2] = [(DType::F32, 1e-5), (DType::F64, 1e-9)];

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    serde_json::from_slice(&std::fs::read(path).expect("golden file")).expect("golden json")
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().expect("a list");
    list.iter()
        .map(|number| number.as_f64().expect("a number"))
        .collect()
}

/// A tensor of the file, flat: its values and its shape.
fn stored(value: &Value) -> (Vec<f64>, Vec<usize>) {
    let shape = numbers(&value["shape"]);
    (
        numbers(&value["values"]),
        shape.into_iter().map(|size| size as usize).collect(),
    )
}

fn tensor<const D: usize>(values: Vec<f64>, shape: [usize; D], dtype: DType) -> Tensor<D> {
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), (&device, dtype)).require_grad()
}

fn read<const D: usize>(value: &Value, dtype: DType) -> Tensor<D> {
    let (values, shape) = stored(value);
    tensor(values, shape.try_into().expect("axes"), dtype)
}

fn vector(value: &Value, dtype: DType) -> Tensor<1> {
    let values = numbers(value);
    let len = values.len();
    tensor(values, [len], dtype)
}

#[track_caller]
fn assert_close<const D: usize>(what: &str, ours: Tensor<D>, theirs: &[f64], tolerance: f64) {
    let ours: Vec<f64> = ours
        .cast(FloatDType::F64)
        .into_data()
        .try_to_vec()
        .expect("f64");
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs
        .iter()
        .fold(0f64, |most, value| most.max(value.abs()));
    for (i, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let off = (ours - theirs).abs() / largest;
        // Written so that a NaN fails.
        assert!(
            off <= tolerance,
            "{what}[{i}]: {ours} against {theirs}, {off:e} of the largest"
        );
    }
}

#[test]
fn activations_are_those_of_pytorch() {
    let golden = golden("activations.json");
    for (dtype, tolerance) in PRECISIONS {
        for (name, kind) in [
            ("gelu", ActivationKind::Gelu),
            ("gelu_tanh", ActivationKind::GeluTanh),
            ("silu", ActivationKind::Silu),
        ] {
            let x = vector(&golden["x"], dtype);
            let y = activation(x.clone(), kind);
            let expected = &golden[name];
            let what = format!("{name}, {dtype:?}");
            let gradients = y.clone().sum().backward();
            assert_close(&what, y, &numbers(&expected["value"]), tolerance);
            let dx = x.grad(&gradients).expect("x is used");
            let derivative = numbers(&expected["derivative"]);
            assert_close(&format!("{what}, derivative"), dx, &derivative, tolerance);
        }
    }
}

#[test]
fn norms_are_those_of_pytorch() {
    let golden = golden("norms.json");
    for (dtype, tolerance) in PRECISIONS {
        for name in ["layer_norm", "rms_norm"] {
            let case = &golden[name];
            let eps = case["eps"].as_f64().expect("a number");
            let x = read::<2>(&case["x"], dtype);
            let weight = vector(&case["weight"], dtype);
            let bias = case.get("bias").map(|bias| vector(bias, dtype));
            let y = match &bias {
                Some(bias) => layer_norm(x.clone(), weight.clone(), bias.clone(), eps),
                None => rms_norm(x.clone(), weight.clone(), eps),
            };
            let upstream = read::<2>(&case["upstream"], dtype);
            let gradients = (y.clone() * upstream).sum().backward();
            let what = |part: &str| format!("{name}, {dtype:?}, {part}");
            assert_close(&what("y"), y, &stored(&case["y"]).0, tolerance);
            let dx = x.grad(&gradients).expect("x is used");
            assert_close(&what("dx"), dx, &stored(&case["dx"]).0, tolerance);
            let dweight = weight.grad(&gradients).expect("the weight is used");
            assert_close(
                &what("dweight"),
                dweight,
                &numbers(&case["dweight"]),
                tolerance,
            );
            if let Some(bias) = bias {
                let dbias = bias.grad(&gradients).expect("the bias is used");
                assert_close(&what("dbias"), dbias, &numbers(&case["dbias"]), tolerance);
            }
        }
    }
}

#[test]
fn cross_entropy_is_that_of_pytorch() {
    let golden = golden("cross_entropy.json");
    let targets: Vec<i64> = numbers(&golden["targets"])
        .into_iter()
        .map(|target| target as i64)
        .collect();
    for (dtype, tolerance) in PRECISIONS {
        let logits = read::<2>(&golden["logits"], dtype);
        let targets =
            Tensor::<1, Int>::from_data(TensorData::new(targets.clone(), [5]), &logits.device());
        let losses = cross_entropy(logits.clone(), targets, CrossEntropyOptions::default());
        let gradients = losses.clone().sum().backward();
        let what = format!("cross-entropy, {dtype:?}");
        assert_close(&what, losses, &numbers(&golden["losses"]), tolerance);
        let gradient = logits.grad(&gradients).expect("the logits are used");
        let expected = stored(&golden["gradient_of_sum"]).0;
        assert_close(&format!("{what}, gradient"), gradient, &expected, tolerance);
    }
}

#[test]
fn attention_is_that_of_pytorch() {
    let golden = golden("attention.json");
    let cases = golden.as_array().expect("cases");
    assert!(cases.len() >= 8);
    for (dtype, tolerance) in PRECISIONS {
        for case in cases {
            let [q, k, v] = ["q", "k", "v"].map(|name| read::<4>(&case[name], dtype));
            // The file has heads before positions, the kernel after them.
            let [queries, keys, values] = [&q, &k, &v].map(|tensor| tensor.clone().swap_dims(1, 2));
            let (seq, n_keys) = (queries.dims()[1], keys.dims()[1]);
            // The kernel takes the queries for the last of the keys' positions.
            assert_eq!(
                case["query_offset"].as_u64().expect("a number"),
                (n_keys - seq) as u64
            );
            let options = AttentionOptions {
                scale: case["scale"].as_f64().expect("a number"),
                causal: case["causal"].as_bool().expect("a truth value"),
                window: case["window"].as_u64().map(|window| window as usize),
                first_keys: None,
                dropout: None,
            };
            let y = attention(queries, keys, values, options).swap_dims(1, 2);
            let upstream = read::<4>(&case["upstream"], dtype);
            let gradients = (y.clone() * upstream).sum().backward();
            let what = |part: &str| format!("{}, {dtype:?}, {part}", case["name"]);
            assert_close(&what("y"), y, &stored(&case["y"]).0, tolerance);
            for (name, tensor) in [("dq", &q), ("dk", &k), ("dv", &v)] {
                let gradient = tensor.grad(&gradients).expect("every input is used");
                assert_close(&what(name), gradient, &stored(&case[name]).0, tolerance);
            }
        }
    }
}
