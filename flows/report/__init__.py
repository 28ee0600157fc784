"""The report of a run: its facts, the page people look at, and the model card."""
