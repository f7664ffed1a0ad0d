//! A number of 128 bits for some bytes, the same in each process and each version of the crate.

use std::hash::Hasher as _;

/// The number of `parts`, each of which ends where it ends: `["ab", "c"]` has another one than `["a", "bc"]`.
///
/// It is SipHash with keys that are known, so that who chooses bytes can choose a collision too.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u128 {
    let half = |seed: u8| {
        // It is SipHash with keys of zero, though std does not promise so: were it another one after an update of
        // the compiler, what is sent again would not be known again.
        #[expect(deprecated, reason = "the one of std with keys that are known")]
        let mut hasher = std::hash::SipHasher::new();
        hasher.write_u8(seed);
        for part in parts {
            if parts.len() > 1 {
                hasher.write_u64(part.len() as u64);
            }
            hasher.write(part);
        }
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_that_of_its_bytes_for_ever() {
        // By an implementation of SipHash-2-4 that is not ours.
        assert_eq!(fingerprint(&[b"bellwether"]), 0x22ca013bdc7ac9e957ffc839230f50d2);
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
        assert_ne!(fingerprint(&[b"a"]), fingerprint(&[b"b"]));
        let halves = fingerprint(&[b""]);
        assert_ne!((halves >> 64) as u64, halves as u64);
    }
}
