"""Measures an endpoint, a peer and the machine's limits in one run; see docs/BENCHMARKS.md."""
