//! Its examples write, its tests and `.ci/servers` read.
