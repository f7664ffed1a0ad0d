//! A crate that shows bellwether on, as an organisation's own crate for telemetry does.

pub use observed as telemetry;

/// The macros and the derive as this crate's own.
pub mod own {
    pub use observed::{Labels, count, gauge, histogram, observe, time};

    /// A macro of this crate's, around one of bellwether's.
    #[macro_export]
    macro_rules! requests {
        ($route:expr) => {
            $crate::own::count!("renamed.requests", route = $route)
        };
    }
}
