"""What schlenk costs beside its peers: ``python -m tests.benchmarks``."""
