"""Recommends the best items for each user, with the scores of a model."""
