"""What Prefect runs: flows, notifications, the DVC client that builds stages."""
