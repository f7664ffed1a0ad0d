//! Which addresses belong to the public internet.
//!
//! A URL from a rule file or a settings page must not make the process connect to its own machine, its
//! neighbours or a cloud's metadata service. An address that is not known to be public counts as not
//! public: an address space that is assigned later is refused until it is added here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` belongs to the public internet, by the registries of special-purpose addresses
/// (RFC 6890, IANA as of 2026).
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] => true,  // This network, private, loopback.
        [100, 64..=127, ..] => true, // Carrier-grade NAT.
        [169, 254, ..] => true,      // Link-local, metadata services among it.
        [172, 16..=31, ..] => true,  // Private.
        [192, 0, 0 | 2, _] => true,  // Protocol assignments, documentation.
        [192, 88, 99, _] => true,    // 6to4 relays.
        [192, 168, ..] => true,      // Private.
        [198, 18..=19, ..] => true,  // Benchmarks.
        [198, 51, 100, _] | [203, 0, 113, _] => true, // Documentation.
        [224..=255, ..] => true,     // Multicast, reserved, broadcast.
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052): a network without IPv4 reaches the address inside.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        [0x2001, 0..=0x1ff, ..] => false, // Protocol assignments: Teredo, benchmarks, ORCHID.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false, // Documentation.
        [0x2002, ..] => false,            // 6to4: any IPv4 address may be inside.
        // Global unicast. It excludes unspecified, loopback, IPv4-mapped and -compatible, unique local,
        // link-local, site-local and multicast addresses.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn special_addresses_are_refused_and_their_neighbours_are_not() {
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "169.254.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
