"""Processes: servers, watchdog, locks, a registered model in a process of its own."""
