"""What Prefect's log says of a failed step: its message, without a traceback that there is not."""

from __future__ import annotations

import logging

STEPS = "prefect.task_runs"


def without_empty_traceback(record: logging.LogRecord) -> bool:
    """Drops the traceback of a record that was logged outside any exception.

    A step that returns a failed state raises nothing, and Prefect asks for a traceback all the
    same: "NoneType: None" would stand below the message.

    Returns:
        True: the record itself is kept.
    """
    if record.exc_info and record.exc_info[0] is None:
        record.exc_info = None
    return True


def leave_out_empty_tracebacks() -> None:
    """Has the log of steps leave out tracebacks that are none, for all who read it."""
    logging.getLogger(STEPS).addFilter(without_empty_traceback)
