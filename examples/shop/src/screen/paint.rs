//! Colours, where the output is a terminal that has them.

use std::{
    env,
    io::{IsTerminal as _, stdout},
};

#[derive(Clone, Copy)]
pub(crate) struct Paint {
    has_colour: bool,
}

impl Paint {
    /// Without colour where stdout is no terminal, where that is dumb, and where `NO_COLOR` is set.
    pub(crate) fn for_stdout() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        Self { has_colour: stdout().is_terminal() && !refused && !dumb }
    }

    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { has_colour: false }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(crate) fn cyan(self, text: &str) -> String {
        self.with("36", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
