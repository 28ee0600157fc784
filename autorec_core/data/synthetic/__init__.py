"""Synthetic data: files in the formats of benchmarks, and ratings with a known structure."""
