"""Reading: reads raw files in several formats, and guesses the entry of a new file."""
