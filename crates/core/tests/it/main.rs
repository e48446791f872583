//! The crate through its public interface, against the reference framework.

mod golden;
