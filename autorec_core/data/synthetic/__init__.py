"""Made-up data: files in the benchmark formats, and ratings with a known structure."""
