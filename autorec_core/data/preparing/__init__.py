"""Preparing: turns a raw file of any size into encoded splits and their profile."""
