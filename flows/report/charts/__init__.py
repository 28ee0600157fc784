"""The pictures of a run as Vega-Lite specifications.

Colours are variables of the page's style sheet, so the pictures follow light and dark mode. Widths
follow the page, so the pictures fit a phone.
"""
