"""Hides the messages that TensorFlow writes at start-up, and no others.

While it is imported, TensorFlow writes about oneDNN and missing graphics cards straight to file
descriptor 2, before any of its log settings apply.
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
    """Holds back all output to stderr, and at the end passes on all but the known messages."""
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
    """Imports TensorFlow without its start-up messages."""
    with quiet_start():
        import tensorflow as tf

        if not Path("/dev/nvidiactl").exists():
            # Without a driver, TensorFlow prints an error when it first looks for graphics cards.
            tf.config.set_visible_devices([], "GPU")
