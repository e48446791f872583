//! The trainer through its public interface, with models so small that a run takes a moment.

mod evaluating;
mod failing;
mod learning;
mod memory;
mod repeating;
mod runs;
