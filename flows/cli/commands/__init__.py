"""The commands of `autorec`: one file for each group of commands.

Heavy imports stand inside the commands, so that `autorec --help` answers at once.
"""
