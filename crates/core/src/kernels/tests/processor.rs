//! Which instructions the tests run on: what the vector loops and the matrix products find in the processor.

use pulp::Arch;

/// As `LLM_EXPECT_SIMD` names it.
fn found() -> &'static str {
    match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "avx512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "avx2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "neon",
        _ => "none",
    }
}

/// `cargo xtask ci --only cpus` runs the tests on emulated processors, and says by `LLM_EXPECT_SIMD` what they must find there: else the
/// stage could go on testing what the host has.
#[test]
fn the_instructions_are_those_expected() {
    let Ok(expected) = std::env::var("LLM_EXPECT_SIMD") else {
        return;
    };
    assert_eq!(found(), expected, "the vector loops");
    // The `gemm` crate asks for these two, and for nothing else.
    #[cfg(target_arch = "x86_64")]
    {
        let products = match (
            std::arch::is_x86_feature_detected!("avx512f"),
            std::arch::is_x86_feature_detected!("fma"),
        ) {
            (true, _) => "avx512",
            (false, true) => "avx2",
            (false, false) => "none",
        };
        assert_eq!(products, expected, "the matrix products");
    }
}
