"""Encoding: raw cells to ids and numbers, with what the training rows taught."""
