//! At home in code that has other libraries: layers, subscribers and recorders that bring what those record
//! into the same pipeline.
//!
//! Each is a feature of its own, and of the other library's name.
//!
//! | integration | library | versions | what flows |
//! |---|---|---|---|
//! | `log` | `log` | 0.4.21 and later | records with their key-values |

#[cfg(feature = "log")]
pub mod log;
