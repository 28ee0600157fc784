"""Data: reads raw files and turns them into encoded splits."""
