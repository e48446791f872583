//! The ground that language models stand on: device choice, seeds, fused kernels, layers, memory measurement, threads.
//!
//! This crate knows no model, no text and no file format. A layer is always config → module → `init` → `forward`:
//!
//! ```
//! use burn::prelude::*;
//! use llm_core::device::DeviceChoice;
//! use llm_core::layers::{Initializer, RmsNormConfig};
//!
//! let device = "cpu".parse::<DeviceChoice>()?.open()?;
//! let norm = RmsNormConfig::new(4).init(&mut Initializer::new(42), &device);
//! let y = norm.forward(Tensor::<2>::from_floats([[3.0, 3.0, 3.0, 3.0]], &device));
//! assert!((y.into_data().try_to_vec::<f32>().unwrap()[0] - 1.0).abs() < 1e-4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod decode;
pub mod device;
pub mod kernels;
pub mod layers;
pub mod memory;
pub mod output;
pub mod parameters;
pub mod random;
pub mod tape;
pub mod threads;

#[cfg(test)]
mod gradient_check;
