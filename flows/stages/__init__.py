"""The stages of dvc.yaml, one file each, and what they need to fetch raw data."""
