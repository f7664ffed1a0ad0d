//! The call sites of other libraries, which bring none of ours: found by a number that says which they are.

use once_cell::race::OnceRef;

use super::{CallSite, LogSeverity};

/// The most call sites that are known: beyond them, records have no site, and no limit applies to them.
const PLACES: usize = 8192;

/// How far from its place a site may lie.
const REACH: usize = 16;

/// Never grows, and nothing in it is given up.
static TABLE: [OnceRef<'static, Known>; PLACES] = [const { OnceRef::new() }; PLACES];

struct Known {
    id: u64,
    site: CallSite,
}

/// The site of number `id`, which `make` describes if it is new; none if there are too many. An id is a
/// hash of what is said of the site, or where in memory that is: two sites with one id are taken for one.
pub(crate) fn find(id: u64, make: impl Fn() -> CallSite) -> Option<&'static CallSite> {
    let home = home(id);
    for step in 0..REACH {
        let place = &TABLE[(home + step) % PLACES];
        let known = match place.get() {
            Some(known) => known,
            // Kept for ever; of two threads that make it at once, the late one leaves some bytes behind.
            None => place.get_or_init(|| Box::leak(Box::new(Known { id, site: make() }))),
        };
        if known.id == id {
            return Some(&known.site);
        }
    }
    None
}

/// As [`find`], of a site whose names are copied if it is new; none, too, if one is so long that it is not
/// kept for ever.
pub(crate) fn find_named(
    id: u64,
    severity: LogSeverity,
    [target, file]: [&str; 2],
    line: u32,
) -> Option<&'static CallSite> {
    if target.len().max(file.len()) > MOST_NAME {
        return None;
    }
    find(id, || CallSite::of(severity, target.to_owned().into(), file.to_owned().into(), line))
}

/// The most bytes of a target or a file that are kept for ever. Arbitrary: beyond any name that people
/// give.
const MOST_NAME: usize = 1024;

/// The site of number `id`, if somebody has asked for it before.
#[cfg(feature = "tracing")]
pub(crate) fn known(id: u64) -> Option<&'static CallSite> {
    let home = home(id);
    let mut places = (0..REACH).map_while(|step| TABLE[(home + step) % PLACES].get());
    places.find(|known| known.id == id).map(|known| &known.site)
}

/// Where the search for a site begins. Addresses end in zeros: the high bits of the product depend on all
/// of them.
#[inline]
fn home(id: u64) -> usize {
    (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_found_again_unless_its_names_are_too_long_and_their_number_is_bounded() {
        long_names_have_no_site();
        sites_are_found_again_and_bounded(); // It fills the table.
    }

    fn long_names_have_no_site() {
        let long = "n".repeat(MOST_NAME + 1);
        let find = |id, names| find_named(id, LogSeverity::INFO, names, 1);
        assert!(find(3 << 50, ["t", &long]).is_none() && find(5 << 50, [&long, "f"]).is_none());
        let site = find(7 << 50, [&long[1..], "f"]).unwrap();
        assert_eq!((site.target(), site.location()), (&long[1..], Some(("f", 1))));
    }

    fn sites_are_found_again_and_bounded() {
        let site = |n: u64| {
            let make = || CallSite::of(LogSeverity::INFO, format!("t{n}").into(), "".into(), 0);
            find(n << 4 | 1 << 40, make)
        };
        let n_sites = 2 * PLACES as u64;
        let first: Vec<_> = (0..n_sites).map(site).collect();
        let n_known = first.iter().flatten().count();
        assert!(n_known > PLACES / 2 && n_known <= PLACES, "{n_known}");
        for (n, first) in first.iter().enumerate() {
            let again = site(n as u64);
            assert_eq!(first.map(std::ptr::from_ref), again.map(std::ptr::from_ref));
            assert!(again.is_none_or(|again| again.target() == format!("t{n}")));
        }
    }
}
