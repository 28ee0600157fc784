"""The process in which DVC runs: `python -m flows.orchestration.dvc_worker`; see `dvc_client`.

It reads one request a line on stdin, and answers each with one marked line on stderr, after
everything its stages have printed. When stdin ends, whoever asked is done or dead, and nobody would
read another answer: then this process and all it has started end at once.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from flows.environment import prepare_environment

ANSWER_MARK = "\x1e"
"""Opens the line that answers a request; no stage prints this character."""
BUSY_TEXT = "is busy"


def main() -> None:
    """Serves requests until stdin ends."""
    prepare_environment()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    # Loaded before the first request: the flow is still busy with its own start.
    from dvc.repo import Repo

    _speak_plainly()
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: _interrupt_stages(ending))
    while not ending.is_set():
        answer = _reproduce(Repo, **json.loads(requests.get()))
        sys.stdout.flush()
        print(ANSWER_MARK + json.dumps(answer), file=sys.stderr, flush=True)  # noqa: T201


def _interrupt_stages(ending: threading.Event) -> None:
    """Asks the running stage to end, as Ctrl-C would; this process follows it."""
    ending.set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.killpg(0, signal.SIGINT)


def _listen(requests: queue.SimpleQueue[bytes]) -> None:
    """Collects requests; when there will be no more, ends this process and all it has started."""
    # Not sys.stdin: its lock, held by this thread, would abort an ordinary end of the process.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        for line in stdin:
            requests.put(line)
    # Without waiting for a stage, an import or the flow's word: whoever asked is done or dead.
    os.killpg(0, signal.SIGKILL)


def _reproduce(repository: Any, target: str, force: bool) -> dict[str, Any]:
    """Brings a stage up to date, with `force` that stage alone; says how it went."""
    try:
        with repository() as repo:
            repo.reproduce(targets=[target], force=force, single_item=force)
    except Exception as error:  # whatever DVC raises is told, and the next request is served
        causes = list(_causes(error))
        return {
            "ok": False,
            "said": str(causes[-1]),
            "busy": any(BUSY_TEXT in str(cause) for cause in causes),
        }
    return {"ok": True}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _speak_plainly() -> None:
    """Of DVC's own words, which stage runs and what it warns of."""
    # That it drops a killed run's locks, once a file; of the killed run its successor has told.
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
