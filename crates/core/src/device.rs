//! Which device a command computes on, chosen by name at run time among the backends compiled in.
//!
//! The device is always built explicitly: Burn's own default depends on which features some other crate switched on.

use std::fmt;
use std::str::FromStr;

use burn::prelude::Device;

/// A device by name: `auto`, `cpu`, `ndarray`, `wgpu[:i]` or `cuda[:i]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first of CUDA, wgpu and the CPU that is compiled in and found.
    #[default]
    Auto,
    /// Burn's Flex backend.
    Cpu,
    /// The reference backend for cross-checks.
    NdArray,
    /// A GPU through Vulkan, Metal or DirectX, by index.
    Wgpu(Option<usize>),
    /// An NVIDIA GPU, by index.
    Cuda(Option<usize>),
}

/// Why a device can't be had.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    /// The name is none of those known.
    #[error("unknown device `{0}`: use auto, cpu, ndarray, wgpu, wgpu:INDEX, cuda or cuda:INDEX")]
    Unknown(String),
    /// The program was built without the backend.
    #[error(
        "device `{device}` is not compiled in: build with `cargo build --release --features {feature}`"
    )]
    NotCompiledIn {
        /// The name asked for.
        device: String,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// The index is beyond the devices found.
    #[error("device `{device}` is not there: {found} of its kind found")]
    NotFound {
        /// The name asked for.
        device: String,
        /// How many devices of the kind there are.
        found: usize,
    },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(name.to_owned());
        let (kind, index) = match name.split_once(':') {
            Some((kind, index)) => (kind, Some(index.parse().map_err(|_| unknown())?)),
            None => (name, None),
        };
        match (kind, index) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("ndarray", None) => Ok(Self::NdArray),
            ("wgpu", index) => Ok(Self::Wgpu(index)),
            ("cuda", index) => Ok(Self::Cuda(index)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::NdArray => f.write_str("ndarray"),
            Self::Wgpu(None) => f.write_str("wgpu"),
            Self::Wgpu(Some(i)) => write!(f, "wgpu:{i}"),
            Self::Cuda(None) => f.write_str("cuda"),
            Self::Cuda(Some(i)) => write!(f, "cuda:{i}"),
        }
    }
}

impl DeviceChoice {
    /// Opens the device, without automatic differentiation.
    ///
    /// # Errors
    /// [`DeviceError::NotCompiledIn`] names the feature to build with; [`DeviceError::NotFound`] tells how many devices there are.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Auto => {
                let gpu = Self::Cuda(None).open().or_else(|_| Self::Wgpu(None).open());
                gpu.or_else(|_| Self::Cpu.open())
            }
            Self::Cpu => Ok(Device::flex()),
            Self::NdArray => open_ndarray(self),
            Self::Wgpu(index) => open_wgpu(self, index),
            Self::Cuda(index) => open_cuda(self, index),
        }
    }
}

#[cfg(feature = "ndarray")]
#[expect(
    deprecated,
    reason = "the reference backend is kept upstream for exactly this use: cross-checks"
)]
fn open_ndarray(_: DeviceChoice) -> Result<Device, DeviceError> {
    Ok(Device::ndarray())
}

#[cfg(not(feature = "ndarray"))]
fn open_ndarray(choice: DeviceChoice) -> Result<Device, DeviceError> {
    Err(DeviceError::NotCompiledIn {
        device: choice.to_string(),
        feature: "ndarray",
    })
}

#[cfg(feature = "wgpu")]
fn open_wgpu(choice: DeviceChoice, index: Option<usize>) -> Result<Device, DeviceError> {
    use burn::tensor::{DeviceKind, DeviceType};
    let found = Device::enumerate(DeviceType::Wgpu).len();
    if index.unwrap_or(0) >= found {
        return Err(DeviceError::NotFound {
            device: choice.to_string(),
            found,
        });
    }
    Ok(match index {
        None => Device::wgpu(DeviceKind::DefaultDevice),
        Some(index) => Device::enumerate(DeviceType::Wgpu)
            .into_iter()
            .nth(index)
            .expect("counted above"),
    })
}

#[cfg(not(feature = "wgpu"))]
fn open_wgpu(choice: DeviceChoice, _: Option<usize>) -> Result<Device, DeviceError> {
    Err(DeviceError::NotCompiledIn {
        device: choice.to_string(),
        feature: "wgpu",
    })
}

#[cfg(feature = "cuda")]
fn open_cuda(choice: DeviceChoice, index: Option<usize>) -> Result<Device, DeviceError> {
    use burn::tensor::DeviceType;
    let found = Device::enumerate(DeviceType::Cuda).len();
    let index = index.unwrap_or(0);
    if index >= found {
        return Err(DeviceError::NotFound {
            device: choice.to_string(),
            found,
        });
    }
    Ok(Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn open_cuda(choice: DeviceChoice, _: Option<usize>) -> Result<Device, DeviceError> {
    Err(DeviceError::NotCompiledIn {
        device: choice.to_string(),
        feature: "cuda",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_as_written() {
        for name in ["auto", "cpu", "ndarray", "wgpu", "wgpu:1", "cuda", "cuda:0"] {
            assert_eq!(
                name.parse::<DeviceChoice>().map(|c| c.to_string()),
                Ok(name.to_owned())
            );
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", "gpu", "cpu:0", "wgpu:", "wgpu:x", "cuda:-1", "CPU"] {
            assert_eq!(
                name.parse::<DeviceChoice>(),
                Err(DeviceError::Unknown(name.to_owned()))
            );
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_missing_backend_names_its_feature() {
        let error = DeviceChoice::Cuda(Some(1))
            .open()
            .expect_err("not compiled in");
        assert!(error.to_string().contains("--features cuda"), "{error}");
    }
}
