//! Models against the reference programs, through the public interface.

mod data;
mod golden;
#[cfg(feature = "wgpu")]
mod gpu;
mod inspecting;
mod save_pretrained;
mod stories;
