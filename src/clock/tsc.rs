//! The time stamp counter of x86-64.
#![expect(unsafe_code, reason = "RDTSC and CPUID have no safe call")]

use core::arch::x86_64::{__cpuid, _rdtsc};

/// The counter, unfenced. Without a fence, readings may be out of order by some tens of nanoseconds;
/// this is clamped when readings are compared.
#[inline(always)]
pub(super) fn read() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC; if the system forbids it to programs, `is_trustworthy`
    // was false and this is never called.
    unsafe { _rdtsc() }
}

/// Whether the counter runs at one rate on every core: the processor calls it invariant, and the
/// kernel, which monitors it, uses it as its own clock.
pub(super) fn is_trustworthy() -> bool {
    is_invariant() && kernel_uses_it()
}

fn is_invariant() -> bool {
    /// "Advanced Power Management Information" (AMD64 manual, volume 3, E.4.8; Intel SDM, 18.17).
    const POWER_LEAF: u32 = 0x8000_0007;
    #[allow(unused_unsafe, reason = "CPUID is safe to call from Rust 1.94 on")]
    // SAFETY: every x86-64 processor has CPUID.
    let highest = unsafe { __cpuid(0x8000_0000) }.eax;
    #[allow(unused_unsafe, reason = "CPUID is safe to call from Rust 1.94 on")]
    // SAFETY: as above; a leaf beyond the highest is not requested.
    let invariant = || unsafe { __cpuid(POWER_LEAF) }.edx & (1 << 8) != 0;
    highest >= POWER_LEAF && invariant()
}

#[cfg(target_os = "linux")]
fn kernel_uses_it() -> bool {
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    std::fs::read_to_string(SOURCE).is_ok_and(|source| source.trim() == "tsc")
}

#[cfg(not(target_os = "linux"))]
fn kernel_uses_it() -> bool {
    false // Unknown, so use the operating system's own clock.
}
