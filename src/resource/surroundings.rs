//! What a process can see of where it runs: variables, files, its own name. Tests have surroundings of their
//! own, so that none sets a variable.

use std::{env, fs::File, io::Read as _, path::PathBuf};

/// Where a process runs.
pub(crate) trait Surroundings {
    /// An environment variable; what is not UTF-8 in it is replaced.
    fn variable(&self, name: &str) -> Option<String>;

    /// The beginning of a file; what is not UTF-8 in it is replaced.
    fn file(&self, path: &str) -> Option<String>;

    /// The process itself.
    fn process(&self) -> OwnProcess;
}

/// What a process knows of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnProcess {
    pub(super) id: u32,
    pub(super) executable: Option<PathBuf>,
    /// How it was called, without arguments.
    pub(super) command: Option<String>,
    /// As Rust names them.
    pub(super) arch: &'static str,
    pub(super) os: &'static str,
}

/// The operating system.
pub(crate) struct System;

/// How much of a file is read. Arbitrary: the mounts of a container are some kilobytes.
const MOST_BYTES: u64 = 1 << 20;

impl Surroundings for System {
    fn variable(&self, name: &str) -> Option<String> {
        Some(env::var_os(name)?.to_string_lossy().into_owned())
    }

    #[expect(clippy::disallowed_methods, reason = "`take` limits what is read")]
    fn file(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn process(&self) -> OwnProcess {
        OwnProcess {
            id: std::process::id(),
            executable: env::current_exe().ok(),
            command: env::args_os().next().map(|name| name.to_string_lossy().into_owned()),
            arch: env::consts::ARCH,
            os: env::consts::OS,
        }
    }
}

/// What is of use of a variable or a file: neither blank nor longer than 1,024 bytes.
pub(super) fn useful(text: String) -> Option<String> {
    let trimmed = text.trim();
    (!trimmed.is_empty() && trimmed.len() <= 1024).then(|| trimmed.to_owned())
}

/// The first of `names` that is of use.
pub(super) fn first_of(from: &dyn Surroundings, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| useful(from.variable(name)?))
}

/// Whether the variable `name` is of use.
pub(super) fn has(from: &dyn Surroundings, name: &str) -> bool {
    first_of(from, &[name]).is_some()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Variables and files of a test.
    #[derive(Default)]
    pub(in crate::resource) struct Given {
        variables: BTreeMap<&'static str, String>,
        files: BTreeMap<&'static str, String>,
        process: OwnProcess,
    }

    impl Given {
        pub(in crate::resource) fn with(mut self, variables: &[(&'static str, &str)]) -> Self {
            let own = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
            self.variables.extend(own);
            self
        }

        pub(in crate::resource) fn of(process: OwnProcess) -> Self {
            Self { process, ..Self::default() }
        }

        pub(in crate::resource) fn file(mut self, path: &'static str, text: &str) -> Self {
            self.files.insert(path, text.to_owned());
            self
        }
    }

    impl Surroundings for Given {
        fn variable(&self, name: &str) -> Option<String> {
            self.variables.get(name).cloned()
        }

        fn file(&self, path: &str) -> Option<String> {
            self.files.get(path).cloned()
        }

        fn process(&self) -> OwnProcess {
            self.process.clone()
        }
    }

    #[test]
    fn blank_and_endless_variables_are_of_no_use() {
        let long = "x".repeat(1025);
        let given = Given::default().with(&[("BLANK", "  "), ("LONG", &long), ("GOOD", " a\n")]);
        assert_eq!(first_of(&given, &["ABSENT", "BLANK", "LONG", "GOOD"]).as_deref(), Some("a"));
        assert!(has(&given, "GOOD") && !has(&given, "BLANK"));
    }

    #[test]
    fn an_endless_file_is_read_up_to_the_limit() {
        if let Some(text) = System.file("/dev/zero") {
            assert_eq!(text.len() as u64, MOST_BYTES);
        }
        assert_eq!(System.file("/no such file"), None);
    }
}
