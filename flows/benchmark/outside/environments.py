"""Environments for libraries that cannot be installed next to this project.

Each is a virtual environment with pinned packages, made on first use. A script runs in it as a
process of its own and gets and returns arrays in files.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autorec_core.errors import DataError
from autorec_core.files import whole_folder

FOLDER = Path("data") / "benchmark-environments"
"""Folder of the environments, which later runs reuse."""
SCRIPTS = Path(__file__).parent / "scripts"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Set to 1, because cells run in processes of one thread."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a script.

    Args:
        name: The library's name.
        packages: What pip installs, with versions.
        script: A file in `SCRIPTS`. It is called with a folder, reads `rows.npz` there and writes
            `predicted.npy`.
    """

    name: str
    packages: tuple[str, ...]
    script: str

    @property
    def folder(self) -> Path:
        """The folder of this environment; other packages or another Python have another."""
        decides = " ".join([*self.packages, sys.version])
        return FOLDER / f"{self.name}-{hashlib.sha256(decides.encode()).hexdigest()[:8]}"

    @property
    def is_there(self) -> bool:
        """Whether the environment is made."""
        return self.folder.exists()

    def make(self) -> None:
        """Makes the environment if it does not exist.

        Raises:
            DataError: pip cannot install the packages.
        """
        if self.is_there:
            return
        with whole_folder(self.folder) as folder:
            venv.create(folder, with_pip=True, symlinks=True)
            command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            command += ["--disable-pip-version-check", *self.packages]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                last = next(iter(done.stderr.strip().splitlines()[-1:]), "no message")
                raise DataError(f"{self.name} cannot be installed: {last}")

    def predict(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        """Runs the script on arrays, in one thread.

        Args:
            rows: The arrays that the script reads.

        Returns:
            What the script predicts, float64, shape (rows,).

        Raises:
            DataError: The script fails.
        """
        with tempfile.TemporaryDirectory(prefix="autorec-") as scratch:
            np.savez(Path(scratch) / "rows.npz", allow_pickle=False, **rows)
            # Packages are found by the place of the interpreter, not by the scripts' first lines.
            python = str(self.folder / "bin" / "python")
            command = [python, "-I", str(SCRIPTS / self.script), scratch]
            environ = {**os.environ, **dict.fromkeys(THREADS, "1")}
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
            if done.returncode:
                last = next(iter(done.stderr.strip().splitlines()[-1:]), "no message")
                raise DataError(f"{self.name} failed: {last}")
            found = np.load(Path(scratch) / "predicted.npy")
        return np.asarray(found, np.float64)


MYFM = Environment(
    "myfm",
    ("myfm==0.4.0", "setuptools<81", "numpy>=2", "scipy"),  # myfm needs `pkg_resources`
    "run_myfm.py",
)
