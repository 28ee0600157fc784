"""The process in which `dvc_client` runs DVC: `python -m flows.orchestration.dvc_worker`.

It reads requests from stdin, one per line. It answers each with one marked line on stderr, after
the output of the stages. When stdin is closed, the client has finished or was killed. This process
and all processes that it started then end at once.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from flows.environment import prepare_environment

ANSWER_MARK = "\x1e"
"""First character of a line that answers a request. No stage prints this character."""
BUSY_TEXT = "is busy"


def main() -> None:
    """Serves requests until stdin is closed."""
    prepare_environment()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    # Imported before the first request, while the flow is still starting.
    from dvc.repo import Repo

    _shorten_output()
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: _interrupt_stages(ending))
    while not ending.is_set():
        request = json.loads(requests.get())
        answer = _ACTIONS[request.pop("action")](Repo, **request)
        sys.stdout.flush()
        print(ANSWER_MARK + json.dumps(answer), file=sys.stderr, flush=True)  # noqa: T201


def _interrupt_stages(ending: threading.Event) -> None:
    """Asks the running stage to end, as Ctrl-C does. This process ends after it."""
    ending.set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.killpg(0, signal.SIGINT)


def _listen(requests: queue.SimpleQueue[bytes]) -> None:
    """Collects requests. When stdin is closed, kills this process and all that it started."""
    # Not sys.stdin: Python aborts at exit if a thread still holds the lock of sys.stdin.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        for line in stdin:
            requests.put(line)
    # At once, even during a stage or an import: the client has finished or was killed.
    os.killpg(0, signal.SIGKILL)


def _reproduce(repository: Any, target: str, force: bool) -> dict[str, Any]:
    """Builds a stage and those before it; with `force` only that stage. Returns the answer."""
    try:
        with repository() as repo:
            repo.reproduce(targets=[target], force=force, single_item=force)
    except Exception as error:  # report every error of DVC, then serve the next request
        causes = list(_causes(error))
        return {
            "ok": False,
            "reason": str(causes[-1]),
            "busy": any(BUSY_TEXT in str(cause) for cause in causes),
        }
    return {"ok": True}


def _compare(repository: Any, target: str) -> dict[str, Any]:
    """Returns whether a stage was last built with the current files, parameters and command.

    Its outputs may be missing: DVC restores them without running the stage.
    """
    try:
        with repository() as repo:
            found = repo.status(targets=[target])
    except Exception as error:
        return {"ok": False, "reason": str(error), "busy": False}
    kinds = {kind for one in found.get(target, []) if isinstance(one, dict) for kind in one}
    plain = {one for one in found.get(target, []) if isinstance(one, str)}
    return {"ok": True, "same": not plain and kinds <= {"changed outs"}}


_ACTIONS: dict[str, Callable[..., dict[str, Any]]] = {"build": _reproduce, "compare": _compare}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _shorten_output() -> None:
    """Reduces DVC's output to the names of the stages that run, warnings and errors."""
    # Hides one message per lock that DVC removes after a killed run. The flow reports killed runs.
    logging.getLogger("dvc.rwlock").setLevel(logging.ERROR)
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or _is_start(record))
    handler.setFormatter(_Line())
    for name in ("dvc", "dvc_objects", "dvc_data"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)


def _is_start(record: logging.LogRecord) -> bool:
    return str(record.msg).startswith("Running stage")


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if _is_start(record) and record.args:
            return f"Stage {record.args[0]}"  # type: ignore[index]
        return super().format(record)


if __name__ == "__main__":
    main()
