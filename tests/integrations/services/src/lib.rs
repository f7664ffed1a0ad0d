//! Nothing: services are in `src/bin/` and `tests/`.
