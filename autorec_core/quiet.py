"""Keeps TensorFlow's start-up chatter off the screen, and nothing else.

TensorFlow writes about oneDNN and missing graphics cards straight to file descriptor 2 while it is
imported, before any of its log settings apply.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHATTER = re.compile(
    rb"absl::InitializeLog|port\.cc:\d+\] oneDNN|cudart_stub\.cc|cpu_feature_guard\.cc"
    rb"|rebuild TensorFlow with the appropriate|cuda_platform\.cc:\d+\] failed call to cuInit"
)


@contextmanager
def quiet_start() -> Iterator[None]:
    """Holds back what is written to stderr meanwhile, then passes on all but known chatter."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    screen = os.dup(2)
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(screen, 2)
                held.seek(0)
                for line in held:
                    if not _CHATTER.search(line):
                        os.write(2, line)
    finally:
        os.close(screen)


def import_tensorflow() -> None:
    """Loads TensorFlow and asks it for its devices, with its chatter held back."""
    with quiet_start():
        import tensorflow as tf

        if not Path("/dev/nvidiactl").exists():
            # Without a driver, the first question for graphics cards ends in an error line.
            tf.config.set_visible_devices([], "GPU")
