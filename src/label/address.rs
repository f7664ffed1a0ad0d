//! Internet addresses as label values, written without an allocation.

use std::{
    borrow::Cow,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::LabelValue;

/// The longest address: `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`.
const MAX_BYTES: usize = 45;

macro_rules! addresses {
    ($($address:ty)*) => {
        $(impl LabelValue for $address {
            const CARDINALITY: Option<usize> = None;

            #[inline]
            fn index(&self) -> usize {
                0
            }

            fn visit(&self, each: &mut dyn FnMut(&str)) {
                let mut bytes = [0; MAX_BYTES];
                let mut rest = &mut bytes[..];
                // All addresses fit, so this does not fail.
                let _ = write!(rest, "{self}");
                let written = MAX_BYTES - rest.len();
                each(str::from_utf8(&bytes[..written]).unwrap_or_default());
            }

            fn at(_index: usize) -> Cow<'static, str> {
                Cow::Borrowed("")
            }
        })*
    };
}

addresses!(IpAddr Ipv4Addr Ipv6Addr);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_its_display() {
        let longest = Ipv6Addr::from([0xff; 16]);
        let mapped = Ipv4Addr::BROADCAST.to_ipv6_mapped();
        for address in [IpAddr::from(longest), mapped.into(), Ipv4Addr::LOCALHOST.into()] {
            let mut read = String::new();
            LabelValue::visit(&address, &mut |text| read.push_str(text));
            assert_eq!(read, address.to_string());
        }
        LabelValue::visit(&Ipv6Addr::LOCALHOST, &mut |text| assert_eq!(text, "::1"));
        LabelValue::visit(&Ipv4Addr::BROADCAST, &mut |text| assert_eq!(text, "255.255.255.255"));
    }
}
