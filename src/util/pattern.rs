//! Patterns of names: `*` stands for any characters, `?` for one.

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) String);

impl Pattern {
    /// Whether `name` matches; upper and lower case differ.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.chars(), name.chars());
        // The rests of both after the latest star: the place to continue from when the rest does not
        // fit. An earlier star need not be tried again, because the latest can take all that it could.
        let mut star = None;
        loop {
            let mut ahead = (pattern.clone(), rest.clone());
            match (ahead.0.next(), ahead.1.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    pattern = ahead.0;
                    star = Some((pattern.clone(), rest.clone()));
                    continue;
                }
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                    (pattern, rest) = ahead;
                    continue;
                }
                _ => {}
            }
            // The star takes one more character.
            let Some((behind, taken)) = &mut star else { return false };
            if taken.next().is_none() {
                return false;
            }
            (pattern, rest) = (behind.clone(), taken.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By definition, and exponentially slow.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                naive(rest, name) || (!name.is_empty() && naive(pattern, &name[1..]))
            }
            ([b'?', pattern @ ..], [_, name @ ..]) => naive(pattern, name),
            ([wanted, pattern @ ..], [found, name @ ..]) => wanted == found && naive(pattern, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_is_of_the_names_that_its_definition_says(
            pattern in "[ab*?]{0,8}", name in "[ab]{0,10}"
        ) {
            let ours = Pattern(pattern.clone()).is_of(&name);
            prop_assert_eq!(ours, naive(pattern.as_bytes(), name.as_bytes()));
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = Pattern("*a".repeat(100) + "b");
        assert!(!pattern.is_of(&"a".repeat(255)));
    }
}
