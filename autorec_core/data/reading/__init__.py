"""Reading raw files in their owners' formats, and guessing what a new file holds."""
