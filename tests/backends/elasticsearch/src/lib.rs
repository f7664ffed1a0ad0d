//! Its examples send, and ask what arrived; `.ci/servers` runs them.
