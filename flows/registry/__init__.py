"""The model registry: versions that carry their lineage, a gate before the alias moves.

With tracking, the only importer of MLflow.
"""
