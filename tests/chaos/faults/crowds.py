"""Several runs of one data set at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

from chaos.faults import Fault, Story
from chaos.installation import DATASET, Installation
from chaos.invariants import clean_end


def several_runs(installation: Installation, random: Random, story: Story) -> Iterator[str]:
    """Starts two to four runs at once and kills one of them; the others end well."""
    installation.forget()
    number = random.randint(2, 4)
    with ExitStack() as stack:
        commands = []
        for _ in range(number):
            commands.append(stack.enter_context(installation.started("run", DATASET)))
            time.sleep(random.uniform(0, 4))
        victim = random.choice(commands)
        delay = random.uniform(0, 30)
        time.sleep(delay)
        victim.send(signal.SIGKILL)
        story.tell(f"{number} runs, one was killed after {delay:.1f} s")
        for command in commands:
            ended = command.end()
            if command is not victim:
                story.tell(f"exit code {ended.code} after {ended.seconds:.0f} s")
                yield from clean_end(ended)
                if ended.code:
                    yield f"A run next to the killed one failed: {ended.message}"
            if left := command.left():
                yield f"Processes were left: {left}"


FAULTS: dict[str, Fault] = {"several runs at once": several_runs}
