//! Foreign code, run so that its panic goes no further.

use std::any::Any;

use super::panics;

/// Runs `f`; if it panics, says with which message.
///
/// What `f` leaves in an odd state is the caller's to know: no lock of ours may be held around it.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    panics::catch(f).map_err(|payload| {
        let text = message(&*payload);
        panics::discard(payload);
        text
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_its_message_even_where_dropping_it_panics_again() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(catch(|| 1), Ok(1));
        assert_eq!(catch(|| panic!("out of {}", "order")), Err::<(), _>("out of order".to_owned()));
        let bomb = catch(|| std::panic::panic_any(Bomb));
        assert_eq!(bomb, Err::<(), _>("a panic without a message".to_owned()));
    }
}
