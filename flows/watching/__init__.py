"""Compares what a live model scores, and later labels, with its training."""
