"""Files that appear whole or not at all, also if the process that writes them is killed."""

import os
import signal
import subprocess
import sys

import pytest

from autorec_core import files
from autorec_core.files import whole_file, whole_folder, write_text

KILLED = """
import os, signal, sys
from pathlib import Path
from autorec_core import files

with getattr(files, sys.argv[1])(Path(sys.argv[2])) as written:
    (written if sys.argv[1] == "whole_file" else written / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(found.name for found in folder.iterdir())


def make_old(folder):
    """Makes temporary folders look as if they were made an hour ago."""
    for left in folder.glob(f"*{files.PARTIAL}"):
        os.utime(left, (left.stat().st_mtime - 3600,) * 2)


@pytest.mark.parametrize("kind", ["whole_file", "whole_folder"])
def test_what_a_killed_write_leaves_is_removed_by_the_next_write(kind, tmp_path):
    path = tmp_path / "lists.[1]"
    killed = subprocess.run([sys.executable, "-c", KILLED, kind, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not path.exists()
    assert len(names(tmp_path)) == 1
    make_old(tmp_path)

    with getattr(files, kind)(path) as written:
        (written if kind == "whole_file" else written / "a").write_text("whole")

    assert names(tmp_path) == ["lists.[1]"]


def test_folders_of_others_stay(tmp_path):
    path = tmp_path / "lists"
    own = tmp_path / ".lists.backup"
    own.mkdir()
    with whole_file(path) as slow:
        make_old(tmp_path)
        write_text(path, "the other")
        assert path.read_text() == "the other"
        slow.write_text("the slow one")

    assert path.read_text() == "the slow one"
    assert names(tmp_path) == [".lists.backup", "lists"]


def test_an_error_keeps_the_old_folder_and_leaves_nothing(tmp_path):
    path = tmp_path / "winner"
    with whole_folder(path) as filled:
        (filled / "a").write_text("old")

    def write():
        with whole_folder(path) as filled:
            (filled / "a").write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()

    assert (path / "a").read_text() == "old"
    assert names(tmp_path) == ["winner"]
