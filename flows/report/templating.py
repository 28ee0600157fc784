"""The Jinja environment for the templates of page and model card."""

from __future__ import annotations

import jinja2


def environment(*, html: bool) -> jinja2.Environment:
    """Returns the Jinja environment. A missing name is an error; values are escaped for HTML."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("flows.report", "templates"),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
