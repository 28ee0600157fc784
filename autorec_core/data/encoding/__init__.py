"""Encoding: turns raw cells into ids and numbers, as learned from the training rows."""
