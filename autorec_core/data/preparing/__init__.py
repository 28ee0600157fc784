"""Preparing: from a raw file of any size to encoded splits and their profile."""
