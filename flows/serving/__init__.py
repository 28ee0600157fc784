"""Serving: an HTTP API for the champion, and scoring of files."""
