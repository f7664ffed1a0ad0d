//! At home in code that has other libraries: layers, subscribers and recorders that bring what those record
//! into the same pipeline.
//!
//! Each is a feature of its own, and of the other library's name.
//!
//! | integration | library | versions | what flows |
//! | --- | --- | --- | --- |
//! | `tower` | tower, axum, hyper, tonic | tower-layer 0.3, tower-service 0.3, http-body 1; axum 0.8, tonic 0.14 | of each request served or sent, over HTTP or gRPC: a span, its metrics, the context in its headers |

#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;
