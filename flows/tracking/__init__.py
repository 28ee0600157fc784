"""MLflow runs of searches, the outbox that delivers them, and local artifacts."""
