//! The stage `cpus`: the tests of the arithmetic on processors with fewer vector instructions than this one may have.
//!
//! Kernels choose their code by what the processor says it can do, which nothing inside a program can mask. qemu's user-mode emulation
//! does: it runs the test programs as they are, on a processor of another model.

use std::process::Stdio;

use anyhow::{Result, bail};

use crate::workspace::{Workspace, check};

/// A processor as qemu calls it, and what the kernels must find there (`LLM_EXPECT_SIMD` in `llm-core`'s tests).
const PROCESSORS: [(&str, &str); 2] = [
    // Of what this model has, qemu leaves out some that no program here asks for; unsaid, it would warn in every process.
    (
        "Haswell,-pcid,-x2apic,-tsc-deadline,-hle,-invpcid,-rtm",
        "avx2",
    ),
    ("Nehalem", "none"),
];

/// The tests run there, by the beginnings of their names: kernels, layers and models against their golden values.
const TESTS: &str = "kernels:: layers:: golden::";

/// Draws of each property: an emulated processor is some twenty times slower.
const CASES: &str = "16";

const RUNNER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";

/// Runs the tests on every processor.
pub(super) fn run(workspace: &Workspace) -> Result<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        eprintln!("SKIPPED: the emulation runs programs of x86-64 Linux on x86-64 Linux");
        return Ok(());
    }
    let qemu = workspace
        .command("qemu-x86_64")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !qemu.is_ok_and(|status| status.success()) {
        bail!(
            "no qemu-x86_64 found; on Debian and Ubuntu, install qemu-user (7.2 or newer, the first that emulates AVX2)"
        );
    }
    for (model, simd) in PROCESSORS {
        check(
            workspace
                .cargo("test --workspace --release --locked --lib --test it --")
                .args(TESTS.split_whitespace())
                .env(RUNNER, format!("qemu-x86_64 -cpu {model}"))
                .env("LLM_EXPECT_SIMD", simd)
                .env("PROPTEST_CASES", CASES),
        )?;
    }
    Ok(())
}
