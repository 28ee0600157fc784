"""A failed step's message is logged without an empty traceback."""

from __future__ import annotations

import io
import logging

import pytest

from flows.orchestration.logs import STEPS, leave_out_empty_tracebacks


@pytest.fixture
def log():
    """What handlers behind the steps' logger write."""
    logger, text = logging.getLogger(STEPS), io.StringIO()
    handler = logging.StreamHandler(text)
    logger.addHandler(handler)
    leave_out_empty_tracebacks()
    yield text
    logger.removeHandler(handler)


def test_a_step_that_fails_without_an_exception_has_no_traceback(log):
    logging.getLogger(STEPS).error("Task run failed with state", exc_info=True)

    assert log.getvalue() == "Task run failed with state\n"


def test_a_real_traceback_stays(log):
    try:
        raise ValueError("a bug")
    except ValueError:
        logging.getLogger(STEPS).exception("Task run failed with exception")

    assert "ValueError: a bug" in log.getvalue()
