"""The stages of dvc.yaml, one file each, and the code that fetches raw data."""
