"""Breaks a whole installation on purpose and checks that nothing is lost.

`make chaos` runs it. It is not part of `make test`: it takes as long as it is told to.
"""
