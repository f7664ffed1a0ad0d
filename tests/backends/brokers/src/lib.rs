//! Its examples send; `.ci/servers` asks what arrived.
