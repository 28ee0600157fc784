"""How a run trains: by a search or with the champion's settings, and why."""
