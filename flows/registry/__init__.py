"""The model registry: versions with their lineage, and the gate that moves the champion alias.

Only this room and tracking import MLflow.
"""
