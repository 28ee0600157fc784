"""Data checks: Great Expectations suites on raw rows and splits, and their pages."""
