//! A receiver of OTLP for the tests.
