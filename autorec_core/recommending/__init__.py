"""Recommending: from a scorer to the best items of each user."""
