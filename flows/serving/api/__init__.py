"""The HTTP API of a live model."""
