"""Signals at random moments: to the run, to its whole group, to one of its processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import psutil

from chaos.faults import Fault, Story
from chaos.installation import DATASET, Command, Installation
from chaos.invariants import clean_end

STEPS = ("", "fetch", "check_raw", "prepare", "check_splits", "search", "evaluate", "register")
LONGEST_DELAY = 8.0
LONGEST_PAUSE = 15.0


def kill_run(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Kills a run, or asks it to end, alone or with all its processes."""
    number = random.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
    group = random.random() < 0.5
    installation.forget()
    with installation.started("run", DATASET) as command:
        _reach_a_step(command, random, story)
        story.tell(f"{number.name} to {'the whole group' if group else 'the process alone'}")
        command.send(number, group=group)
        ended = command.end()
        story.tell(f"exit code {ended.code} after {ended.seconds:.0f} s")
        if number != signal.SIGKILL:
            yield from (f"Asked to end: {sentence}" for sentence in _quiet(ended.output))
        if left := command.left():
            yield f"Processes were left: {left}"


def kill_part(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Kills one process of a run, as the kernel does when memory runs out."""
    installation.forget()
    with installation.started("run", DATASET) as command:
        _reach_a_step(command, random, story)
        parts = [part for part in command.processes() if part.pid != command.process.pid]
        if not parts:
            story.tell("it had no other process")
            return
        part = random.choice(sorted(parts, key=lambda part: part.pid))
        with suppress(psutil.NoSuchProcess):
            story.tell(f"SIGKILL to {' '.join(part.cmdline()[:4])[-120:]}")
            part.kill()
        ended = command.end()
        story.tell(f"exit code {ended.code} after {ended.seconds:.0f} s: {ended.message}")
        yield from clean_end(ended)
        if left := command.left():
            yield f"Processes were left: {left}"


def stop_for_a_while(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Stops all processes of a run for some seconds: it must go on as if nothing had been."""
    installation.forget()
    with installation.started("run", DATASET) as command:
        _reach_a_step(command, random, story)
        pause = random.uniform(1, LONGEST_PAUSE)
        story.tell(f"stopped for {pause:.1f} s")
        stopped = command.processes()
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        time.sleep(pause)
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()
        ended = command.end()
        yield from clean_end(ended)
        if ended.code:
            yield f"After the pause it ended with exit code {ended.code}: {ended.message}"
        if left := command.left():
            yield f"Processes were left: {left}"


def _reach_a_step(command: Command, random: Random, story: Story) -> None:
    step, delay = random.choice(STEPS), random.uniform(0, LONGEST_DELAY)
    if step == "register":
        command.wait_for(f"Stage evaluate@{DATASET}")
        delay += LONGEST_DELAY / 2
    elif step:
        command.wait_for(f"Stage {step}@{DATASET}")
    time.sleep(delay)
    story.tell(f"{delay:.1f} s into {step or 'the start'}")


def _quiet(output: str) -> Iterator[str]:
    if "Traceback" in output:
        yield f"a traceback was printed: {output[-1500:]}"


FAULTS: dict[str, Fault] = {
    "kill a run": kill_run,
    "kill a part of a run": kill_part,
    "stop a run for a while": stop_for_a_while,
}
