"""Guesses the format, the label and the roles of the columns of a new table."""
