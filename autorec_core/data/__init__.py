"""From raw files to encoded splits."""
