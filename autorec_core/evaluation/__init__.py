"""Evaluation: metrics, baselines, intervals, and where a model errs."""
