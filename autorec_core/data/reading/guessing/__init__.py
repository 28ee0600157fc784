"""Looks at a table that nobody has described yet: its form, its label, its columns' roles."""
