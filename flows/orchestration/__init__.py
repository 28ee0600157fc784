"""Prefect flows, notifications, and the DVC client that builds stages."""
