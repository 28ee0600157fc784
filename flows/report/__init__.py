"""The report of a run: its facts, the HTML page and the model card."""
