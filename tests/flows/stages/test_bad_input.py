"""Bad input gives one sentence and a failed stage, and the last good splits stay."""

from __future__ import annotations

import gzip
import hashlib
import resource
import shutil
import zipfile

import pytest
import yaml
from project import PARAMS_FILE

from flows.stages.__main__ import main as run_stage

PROJECT = yaml.safe_load(PARAMS_FILE.read_text(encoding="utf-8"))
HEAD = "user,item,age,clicked\n"
FORMAT = {"kind": "delimited", "separator": ",", "header": True, "quoted": True, "columns": []}
LONG = "x" * 10_001


def good(rows=300):
    return HEAD + "".join(f"u{n % 7},i{n % 11},{n % 60}.5,{n % 2}\n" for n in range(rows))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A workspace whose splits are good."""
    folder = tmp_path_factory.mktemp("built")
    entry = {
        **PROJECT["datasets"]["movielens-100k"],
        "title": "Mine",
        "task": "ctr",
        "file": "rows.csv",
        "sha256": None,
        "sources": [{"kind": "file", "path": "incoming/rows.csv"}],
        "format": FORMAT,
        "label": "clicked",
        "categorical": ["user", "item"],
        "numeric": ["age"],
        "ignored": [],
        "user": "user",
        "item": "item",
        "time": None,
    }
    entry["facts"] = {**entry["facts"], "label_values": None, "label_mean": None, "min_rows": 1}
    entry["facts"]["unique"] = []
    built = {**PROJECT["pipeline"], "datasets": ["mine"]}
    params = {**PROJECT, "datasets": {"mine": entry}, "pipeline": built}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (folder / "data/raw/mine").mkdir(parents=True)
    (folder / "data/raw/mine/rows.csv").write_text(good(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_stage(["prepare", "mine"])
    return folder


@pytest.fixture
def workspace(built, tmp_path, monkeypatch):
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digests(folder):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def refused(workspace, capsys, stage="prepare"):
    """What a stage says when it fails; all else in the workspace must be as it was."""
    before = digests(workspace)
    with pytest.raises(SystemExit) as ended:
        run_stage([stage, "mine"])
    said = capsys.readouterr().err

    assert ended.value.code not in (0, None)
    assert said.startswith("Error: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
    assert digests(workspace) == before
    return said


ROWS = {
    "too few columns": (good() + "u,i,1\n", "line 302: 3 columns; 4, separated by ','"),
    "too many columns": (good() + "u,i,1,0,9\n", "line 302: 5 columns; 4"),
    "wrong separator": (good().replace(",", ";"), "lacks the columns age, clicked, item, user"),
    "an open quote": (good() + 'u,"i,1,0\n', "line 302: a quote that is not closed on its line"),
    "a NUL byte": (good() + "u\0,i,1,0\n", "line 302: a NUL byte; text is expected"),
    "wrong encoding": (good().encode() + b"caf\xe9,i,1,0\n", "line 302: not UTF-8 text"),
    "UTF-16": (good().encode("utf-16"), "not UTF-8 text"),
    "truncated gzip": (gzip.compress(good(9000).encode())[:-2000], "the gzip file is cut off"),
    "damaged gzip": (gzip.compress(good().encode())[:-8] + b"damaged!", "gzip file is damaged"),
    "empty file": ("", "is empty"),
    "header only": (HEAD, "has no usable row below its header"),
    "label missing": (good() + "u,i,1,\n", "line 302: clicked is empty; a value is expected"),
    "label out of {0, 1}": (good() + "u,i,1,2\n", "line 302: clicked is '2'; allowed: 0, 1"),
    "label constant": (HEAD + "u,i,1,0\n" * 99, "clicked is 0 in every row; nothing to learn"),
    "no label column": (good().replace(",clicked", ",x"), "lacks the columns clicked"),
    "a column all empty": (HEAD + "u,,1,0\nv,,2,1\n" * 9, "item is empty; a value is expected"),
    "a number all empty": (HEAD + "u,i,,0\nv,j,,1\n" * 9, "the column age is empty in every row"),
    "absent column": (good().replace("age", "years"), "lacks the columns age"),
    "double names": (good().replace("age", "user", 1), "line 1: the header names user twice"),
    "1e400": (good() + "u,i,1e400,1\n", "age is '1e400'; a finite number is expected"),
    "nan": (good() + "u,i,nan,1\n", "age is 'nan'; a finite number is expected"),
    "inf": (good() + "u,i,inf,1\n", "age is 'inf'; a finite number is expected"),
    "1,5": (good() + 'u,i,"1,5",1\n', "age is '1,5'; a finite number is expected"),
    "a long id": (good() + f"{LONG},i,1,1\n", "user is 10,001 characters long; at most 10,000"),
    "a rare class": (HEAD + "u,i,1,0\n" * 99 + "u,i,1,1\n" * 2, "The label 1 has 2 rows"),
}


@pytest.mark.parametrize(("content", "sentence"), ROWS.values(), ids=ROWS)
def test_rows_that_cannot_be_used_are_named(workspace, capsys, content, sentence):
    raw = workspace / "data/raw/mine/rows.csv"
    raw.write_bytes(content if isinstance(content, bytes) else content.encode())

    assert sentence in refused(workspace, capsys)


def test_a_missing_raw_file_is_named(workspace, capsys):
    (workspace / "data/raw/mine/rows.csv").unlink()

    assert "rows.csv cannot be read: no such file" in refused(workspace, capsys)


def test_a_disk_without_room_leaves_the_last_good_splits(workspace, capsys):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        said = refused(workspace, capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert "data/prepared/mine cannot be written: " in said


def source(workspace, **changes):
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["datasets"]["mine"] |= changes
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))


def test_a_checksum_that_differs_is_refused(workspace, capsys):
    (workspace / "incoming").mkdir()
    (workspace / "incoming/rows.csv").write_text(good())
    source(workspace, sha256="0" * 64)

    said = refused(workspace, capsys, "fetch")

    assert "SHA-256" in said
    assert "0" * 64 in said


def test_a_zip_that_reaches_out_of_its_folder_is_refused(workspace, capsys, monkeypatch):
    archive = workspace / "bad.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../rows.csv", good())

    def copied(_url, partial, _credentials=None):
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, partial)

    monkeypatch.setattr("flows.stages.fetch.download", copied)
    archived = {"kind": "archive", "url": "https://localhost/bad.zip", "sha256": None}
    source(workspace, sources=[{**archived, "member": "../rows.csv", "credentials": None}])
    partial = workspace / "data/incoming/.partial"

    with pytest.raises(SystemExit):
        run_stage(["fetch", "mine"])

    assert "a path outside its own folder" in capsys.readouterr().err
    assert not (workspace.parent / "rows.csv").exists()
    assert (workspace / "data/raw/mine/rows.csv").read_text() == good()
    assert not list(partial.glob("*.csv"))
