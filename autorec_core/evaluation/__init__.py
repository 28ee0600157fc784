"""Evaluation: test metrics, baselines, intervals, and the rows with the largest errors."""
