"""The pictures of a run, as Vega-Lite specifications: what is shown, never how it is drawn.

Every colour is a variable of the page's style sheet, so that pictures follow light and dark with
the page, and every width is the page's, so that they fit a phone.
"""
