"""The HTTP API: odd requests, kills, pauses, and a process that must not grow."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import httpx
import psutil
from team import free_port

from chaos.faults import Fault, Story
from chaos.installation import DATASET, Command, Installation

READY_SECONDS = 120.0
REQUESTS = 3000
WARM = 500
"""Requests after which the process has its full size."""
GROWTH = 1.05
GOOD = {"rows": [{"user_id": "1", "item_id": "2"}, {"user_id": 3, "item_id": 4}]}
ATOMS: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e308,
        "",
        "1",
        " 2 ",
        "\x00",
        "é",
        "\uff11",
        "a" * 5000,
        [],
        {},
    ),
    *([1], {"a": 1}, "NaN", "1e3", "007", 2**70, "x\n", "'; DROP TABLE rows; --"),
)


def odd_requests(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Sends good and odd requests to one process, and kills it at the end.

    Each answer is a score or one sentence. Good requests always get the same scores, and the
    process does not grow.
    """
    with _served(installation) as (command, address):
        process = psutil.Process(command.process.pid)
        with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
            expected = client.post("/score", json=GOOD).json()
            full = 0
            for number in range(REQUESTS):
                yield from _one(client, random, expected)
                if number == WARM:
                    full = process.memory_info().rss
        grown = process.memory_info().rss / full
        story.tell(f"{REQUESTS:,} requests; memory {grown:.3f} of what it was after {WARM}")
        if grown > GROWTH:
            yield f"The process has grown to {grown:.2f} of its size."
        if "Traceback" in command.output():
            yield f"A traceback was printed: {command.output()[-1500:]}"
        command.send(signal.SIGKILL, group=False)
        command.end()
        if left := command.left():
            yield f"Processes were left: {left}"


def stopped_server(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Stops the process for a while, continues it, and ends it: no answer is wrong."""
    with _served(installation) as (command, address):
        expected = httpx.post(f"{address}/score", json=GOOD, trust_env=False).json()
        command.send(signal.SIGSTOP)
        pause = random.uniform(1, 10)
        time.sleep(pause)
        command.send(signal.SIGCONT)
        story.tell(f"stopped for {pause:.1f} s")
        answer = httpx.post(f"{address}/score", json=GOOD, timeout=30, trust_env=False).json()
        if answer != expected:
            yield f"After the pause it answered {answer}."
        command.send(random.choice((signal.SIGTERM, signal.SIGINT)), group=False)
        ended = command.end(60)
        story.tell(f"asked to end: exit code {ended.code} after it was ready")
        if "No end after" in ended.output:
            yield "It did not end when it was asked to."
        if "Traceback" in ended.output:
            yield f"A traceback was printed: {ended.output[-1500:]}"


def _one(client: httpx.Client, random: Random, expected: Any) -> Iterator[str]:
    if random.random() < 0.5:
        answer = client.post("/score", json=GOOD)
        if answer.status_code != httpx.codes.OK or answer.json() != expected:
            yield f"A good request got {answer.status_code}: {answer.text[:200]}"
        return
    path = random.choice(("/score", "/score", "/recommend", "/history", "/nothing"))
    body = _odd_body(random)
    answer = client.request(random.choice(("POST", "POST", "GET")), path, content=body)
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        yield f"{path} answered {answer.status_code} to {body[:200]!r}"


def _odd_body(random: Random) -> bytes:
    def value(depth: int) -> Any:
        kind = random.random()
        if depth > 2 or kind < 0.5:
            return random.choice(ATOMS)
        if kind < 0.7:
            return [value(depth + 1) for _ in range(random.randrange(4))]
        keys = ("user_id", "item_id", "rows", "user", "top", "exclude", "candidates", "zzz")
        return {random.choice(keys): value(depth + 1) for _ in range(random.randrange(4))}

    if random.random() < 0.3:
        rows = [{"user_id": value(2), "item_id": value(2)} for _ in range(random.randrange(3))]
        content = json.dumps({"rows": rows}).encode()
    elif random.random() < 0.3:
        content = json.dumps({"user": value(2), "top": value(2), "exclude": value(1)}).encode()
    else:
        content = json.dumps(value(0)).encode()
    if random.random() < 0.2 and content:
        place = random.randrange(len(content))
        content = content[:place] + bytes([random.randrange(256)]) + content[place + 1 :]
    return content


@contextmanager
def _served(installation: Installation) -> Iterator[tuple[Command, str]]:
    """Starts the API, and gives the command with its address once it answers."""
    port = free_port()
    with installation.started("serve", DATASET, "--port", str(port)) as command:
        address = f"http://127.0.0.1:{port}"
        if not _ready(address, command):
            raise RuntimeError(f"The API did not start: {command.output()[-500:]}")
        yield command, address


def _ready(address: str, command: Command) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and command.process.poll() is None:
        try:
            if httpx.get(f"{address}/health", trust_env=False).status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    return False


FAULTS: dict[str, Fault] = {
    "odd requests": odd_requests,
    "a stopped API": stopped_server,
}
