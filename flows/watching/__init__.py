"""Watches what a live model is asked and what happened later, against its training."""
