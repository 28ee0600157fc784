"""A log filter that removes empty tracebacks from Prefect's log of failed steps."""

from __future__ import annotations

import logging

STEPS = "prefect.task_runs"


def without_empty_traceback(record: logging.LogRecord) -> bool:
    """Removes the traceback from a record that was logged outside an exception handler.

    A step that returns a failed state raises no exception, but Prefect logs a traceback anyway.
    Without this filter "NoneType: None" appears below the message.

    Returns:
        True, which keeps the record itself.
    """
    if record.exc_info and record.exc_info[0] is None:
        record.exc_info = None
    return True


def leave_out_empty_tracebacks() -> None:
    """Adds the filter to Prefect's log of steps."""
    logging.getLogger(STEPS).addFilter(without_empty_traceback)
