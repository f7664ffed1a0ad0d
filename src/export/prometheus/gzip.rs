//! Compression of a page, if the scraper accepts it.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

/// Whether the request header `Accept-Encoding` prefers gzip to the plain page, or accepts both equally
/// (RFC 9110, 12.5.3). `false` without the header.
///
/// # Examples
///
/// ```
/// use bellwether::export::prometheus::accepts_gzip;
///
/// assert!(accepts_gzip(Some("gzip, deflate;q=0.5")));
/// assert!(!accepts_gzip(Some("gzip;q=0")));
/// assert!(!accepts_gzip(None));
/// ```
#[must_use]
pub fn accepts_gzip(accept_encoding: Option<&str>) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    for coding in accept_encoding.unwrap_or_default().split(',') {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = match parts.find_map(|part| part.split_once('=')) {
            Some((key, value)) if key.trim().eq_ignore_ascii_case("q") => value.trim().parse().ok(),
            _ => Some(1.0),
        };
        let Some(quality) = quality.filter(|q: &f32| (0.0..=1.0).contains(q)) else { continue };
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => gzip = Some(quality),
            "*" => any = Some(quality),
            "identity" => identity = Some(quality),
            _ => {}
        }
    }
    let gzip = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// Compresses `page`, for speed rather than size: a page is so repetitive that the fastest level is
/// enough.
///
/// # Examples
///
/// ```
/// let page = "shop_orders_total 1\n".repeat(100);
/// let compressed = bellwether::export::prometheus::gzip(page.as_bytes());
/// assert!(compressed.starts_with(&[0x1f, 0x8b]) && compressed.len() < page.len() / 10);
/// ```
#[must_use]
pub fn gzip(page: &[u8]) -> Vec<u8> {
    let room = Vec::with_capacity(page.len() / 8);
    let mut encoder = GzEncoder::new(room, Compression::fast());
    // Writing to a Vec cannot fail.
    let written = encoder.write_all(page).and_then(|()| encoder.finish());
    written.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn gzip_is_chosen_where_it_is_not_liked_less_than_the_plain_page() {
        for accepted in [
            "gzip",
            "GZip",
            "x-gzip",
            "*",
            "deflate, gzip;q=1.0, *;q=0.5",
            "identity;q=0.5, gzip;q=0.5",
            "br;q=1, gzip ; q = 0.2",
        ] {
            assert!(accepts_gzip(Some(accepted)), "{accepted}");
        }
        for refused in [
            "",
            "identity",
            "deflate",
            "gzip;q=0",
            "gzip;q=0, *",
            "identity;q=1, gzip;q=0.5",
            "gzip;q=x",
            "gzip;q=2",
            "gzipped",
            ";;,=;q",
        ] {
            assert!(!accepts_gzip(Some(refused)), "{refused}");
        }
    }

    #[test]
    fn what_is_compressed_reads_back() {
        let page: Vec<u8> = (0..100_000u32).flat_map(|i| (i % 251).to_le_bytes()).collect();
        for page in [&page[..], b""] {
            let compressed = gzip(page);
            let mut read = Vec::new();
            let limit = page.len() as u64 + 1;
            let decoder = flate2::read::GzDecoder::new(&compressed[..]);
            std::io::copy(&mut decoder.take(limit), &mut read).unwrap();
            assert_eq!(read, page);
        }
    }
}
