//! Names of routes, made unique within a signal, so that their series differ.

use std::collections::HashSet;

use crate::pipeline::{Route, Signal};

/// Numbers all routes of one name but the first: `file`, `file-2`, `file-3`.
pub(super) fn distinct<S: Signal>(routes: Vec<Route<S>>) -> Vec<Route<S>> {
    let mut taken: HashSet<String> = routes.iter().map(|route| route.name().to_owned()).collect();
    let mut seen: HashSet<String> = HashSet::new();
    let mut tell_apart = |route: Route<S>| {
        if seen.insert(route.name().to_owned()) {
            return route;
        }
        // Leaves room for the number: a name has at most 64 bytes, all ASCII.
        let short = route.name().get(..56).unwrap_or(route.name());
        let numbered = (2_u32..).map(|n| format!("{short}-{n}"));
        let name = numbered.into_iter().find(|name| taken.insert(name.clone()));
        route.named(name.unwrap_or_default())
    };
    routes.into_iter().map(&mut tell_apart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{export::Memory, trace::SpanRecord};

    #[test]
    fn the_second_route_of_a_name_gets_a_number_that_is_free() {
        let route = |name: &str| Route::new(Memory::<SpanRecord>::new()).named(name);
        let routes = ["file", "file-2", "file", "other", "file"].map(route);
        let names: Vec<_> = distinct(routes.into()).iter().map(|r| r.name().to_owned()).collect();
        assert_eq!(names, ["file", "file-2", "file-3", "other", "file-4"]);
    }
}
