"""Serving: a small HTTP API over the champion."""
