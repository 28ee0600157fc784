"""How a run trains: by a search, with the champion's settings, or from its weights, and why."""
