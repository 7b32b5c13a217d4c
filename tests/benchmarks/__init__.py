"""Measures the time and memory of schlenk and of its peers: ``python -m tests.benchmarks``."""
