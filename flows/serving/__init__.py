"""Serving: an HTTP API for a live model (`api`), and files of rows (`files`)."""
