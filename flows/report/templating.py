"""The templates of page and card, strict about names that are missing."""

from __future__ import annotations

import jinja2


def environment(*, html: bool) -> jinja2.Environment:
    """Where templates are found and how they are filled; HTML is escaped, Markdown is not."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("flows.report", "templates"),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
