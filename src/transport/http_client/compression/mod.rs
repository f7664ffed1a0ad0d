//! Compression of what is sent.

use std::io::{self, Write as _};

use flate2::write::GzEncoder;

#[cfg(feature = "zstd")]
mod zstd;
#[cfg(not(feature = "zstd"))]
#[path = "zstd_absent.rs"]
mod zstd;

/// How the bodies of requests are compressed, by
/// [`Endpoint::compression`](crate::transport::Endpoint::compression).
///
/// Telemetry is mostly text that repeats: any compression makes it several times smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// By gzip, which every server understands.
    Gzip,
    /// By zstd: faster than gzip and smaller, but not every server understands it. Needs the feature `zstd`;
    /// without it, an endpoint that asks for it is an error when what sends to it starts.
    Zstd,
}

impl Compression {
    /// Its name in `content-encoding`.
    pub(crate) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// Whether this build can do it.
    pub(crate) fn check(self) -> Result<(), String> {
        match self {
            Self::Zstd => zstd::check(),
            Self::None | Self::Gzip => Ok(()),
        }
    }

    /// The bytes compressed; as they are by [`None`](Self::None).
    pub(crate) fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::None => Ok(bytes.to_vec()),
            Self::Gzip => {
                // The fastest level: the machine's work is the service's, and the way to a collector is
                // short.
                let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Zstd => zstd::compress(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_compressed_is_what_was_given() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        let packed = Compression::Gzip.compress(&bytes).unwrap();
        assert!(packed.len() < bytes.len() / 2, "{}", packed.len());
        let mut unpacked = Vec::new();
        io::copy(&mut flate2::read::GzDecoder::new(&*packed), &mut unpacked).unwrap();
        assert!(unpacked == bytes);
        assert_eq!(Compression::None.compress(&bytes).unwrap(), bytes);
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_is_smaller_than_the_bytes_and_gives_them_back() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        Compression::Zstd.check().unwrap();
        let packed = Compression::Zstd.compress(&bytes).unwrap();
        assert!(packed.len() < bytes.len() / 2, "{}", packed.len());
        assert!(::zstd::decode_all(&*packed).unwrap() == bytes);
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn zstd_without_its_feature_names_the_feature() {
        assert!(Compression::Zstd.check().unwrap_err().contains("feature `zstd`"));
    }
}
