//! Pipes with exporters that hang, fail, panic and push back, ordered by channels.
