//! Redirects, which reqwest follows by itself: seen by the client's policy, or by where a response came
//! from.

use std::cell::Cell;

use ::reqwest::{
    Url,
    redirect::{Attempt, Policy},
};

use super::url;
use crate::{label::KeyValue, trace::add_event};

thread_local! {
    /// How many the request that this thread polls was asked to follow, by a policy that says so.
    static SEEN: Cell<u32> = const { Cell::new(0) };
}

/// A policy that decides as `policy`, and by which the span of a request has an event `http.redirect` for
/// each redirect that the server asks for, with its status and where it leads.
///
/// Without it a span has one event, with where the response came from, if that is not where the request
/// was sent to.
///
/// # Examples
///
/// ```
/// use bellwether::integration::reqwest::{TracedClient, noted_redirects};
/// use reqwest::{Client, redirect::Policy};
///
/// let client = Client::builder().redirect(noted_redirects(Policy::limited(5))).build()?;
/// let client = TracedClient::from(client);
/// # drop(client);
/// # Ok::<(), reqwest::Error>(())
/// ```
#[must_use]
pub fn noted_redirects(policy: Policy) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        SEEN.set(SEEN.get().saturating_add(1));
        note(attempt.url(), Some(attempt.status().as_u16()));
        policy.redirect(attempt)
    })
}

/// Adds the event to the current span, which is that of the request.
pub(super) fn note(to: &Url, status: Option<u16>) {
    let full = || KeyValue::new("url.full", url::shown(to));
    let status = status.map(|code| KeyValue::new("http.response.status_code", i64::from(code)));
    // Iterated only where the span is recorded.
    let attributes = status.into_iter().chain([()].into_iter().map(|()| full()));
    add_event("http.redirect", attributes);
}

/// Begins to count for one request, and returns the count of the one around it.
pub(super) fn begin(count: u32) -> u32 {
    SEEN.replace(count)
}
