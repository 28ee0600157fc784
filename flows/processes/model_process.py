"""Runs a registered model in a clean process of its own: `python -I model_process.py ...`.

A model that an earlier version of AutoRec made runs on the code that was registered with it, and
nothing of the calling process leaks in. The environment names MLflow's store.

The caller writes requests to stdin and reads answers from stdout. Both are frames: one byte for the
kind, eight bytes for the length, then the content. Rows and scores are Arrow streams, the rest is
JSON or text. The process ends when stdin is closed or when the caller's process ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import statistics
import struct
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

# Requests: scores of rows, unknown ids of rows, the model's example, time per row, an export.
SCORE, UNKNOWN, EXAMPLE, TIME, EXPORT = b"s", b"u", b"e", b"t", b"x"
# Answers: a description of the model, scores, other results as JSON, wrong rows, other errors.
READY, SCORES, DONE, WRONG_ROWS, FAILED = b"R", b"S", b"J", b"D", b"E"
JSON_COLUMN = b"json"
"""Metadata key of a column with mixed types. Its values are written as JSON."""
CODE = ("code", "autorec_core")
POLL_SECONDS = 0.5
# Files and folders that MLflow and Python add to a model's files.
FOREIGN = ("registered_model_meta", "__pycache__")
_HEAD = struct.Struct("<cQ")


def fingerprint(folder: Path) -> str:
    """Returns one SHA-256 over the names and contents of a model's files."""
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in sorted(files.items()):
        if path.is_file() and not any(part in FOREIGN for part in Path(name).parts):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def fetch(uri: str, folder: Path, expected: str) -> Path:
    """Copies a model's files into `folder` and compares them with their registered hash.

    Raises:
        ValueError: The files are missing, or they are not the files that were registered.
    """
    import mlflow

    got = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    if not (got / "MLmodel").is_file():
        from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

        place = ModelsArtifactRepository.get_underlying_uri(uri)
        raise ValueError(f"its files are not where the registry has them, at {place}")
    for compiled in list(got.rglob("__pycache__")):
        shutil.rmtree(compiled)  # Python would run this bytecode, which the hash does not cover
    if fingerprint(got) != expected:
        raise ValueError("its files are not those that were registered: the SHA-256 differs")
    return got


def send(file: IO[bytes], kind: bytes, content: bytes | memoryview) -> None:
    """Writes a frame."""
    file.write(_HEAD.pack(kind, len(content)))
    file.write(content)
    file.flush()


def receive(file: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Reads a frame. Returns its kind and content, or None if the other side has ended."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    content = file.read(length)
    return (kind, content) if len(content) == length else None


def main(uri: str, expected: str, starter: str, place: str) -> None:
    """Loads a model, describes it, and answers requests until stdin is closed.

    Args:
        uri: The model's URI in MLflow.
        expected: SHA-256 of the registered files.
        starter: Process id of the caller.
        place: Folder to copy the model's files to. It is deleted at the end.
    """
    threading.Thread(target=_end_with, args=(int(starter), Path(place)), daemon=True).start()
    # These signals go to the whole process group, but the caller still waits for its answers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # send what libraries print to stderr: it must not mix with the answers
    try:
        try:
            model, content = _load(uri, expected, Path(place))
            send(answers, READY, content)
        except Exception as error:  # the caller gets every error as an answer
            send(answers, FAILED, _error_text(error))
            return
        while (frame := receive(asked)) is not None:
            send(answers, *_answer(model, *frame))
    except BrokenPipeError:
        pass  # the caller is gone
    finally:
        # The caller deletes it too, unless it was killed.
        shutil.rmtree(place, ignore_errors=True)


def _end_with(starter: int, place: Path) -> None:
    """Ends this process when the caller is gone, even while the model loads or scores."""
    while os.getppid() == starter:
        time.sleep(POLL_SECONDS)
    shutil.rmtree(place, ignore_errors=True)
    os._exit(1)


def _load(uri: str, expected: str, folder: Path) -> tuple[Any, bytes]:
    import mlflow

    model = mlflow.pyfunc.load_model(str(fetch(uri, folder, expected)))
    columns = model.metadata.get_input_schema().input_names()
    preprocessor = model.unwrap_python_model().scorer.preprocessor
    about = {
        "columns": columns,
        "numeric": [name for name in columns if name in preprocessor.schema.numeric],
        "unknown_rate": dict(getattr(preprocessor, "unknown_rate", {})),
        "missing": getattr(preprocessor.schema, "missing", ()),  # older versions have none
    }
    return model, json.dumps(about).encode()


def _answer(model: Any, kind: bytes, content: bytes) -> tuple[bytes, bytes | memoryview]:
    try:
        if kind == SCORE:
            # Skips MLflow's check of every value, which takes four times as long as scoring.
            return SCORES, _scores(model.unwrap_python_model().predict(None, _frame(content)))
        if kind == UNKNOWN:
            return DONE, json.dumps(_unknown(model, _frame(content))).encode()
        if kind == EXAMPLE:
            return DONE, json.dumps(_example(model)).encode()
        if kind == TIME:
            return DONE, json.dumps(_milliseconds(model, json.loads(content))).encode()
        from autorec_core.export import export_scorer

        export_scorer(model.unwrap_python_model().scorer, Path(json.loads(content)))
        return DONE, b"null"
    except Exception as error:  # the caller gets every error as an answer
        kinds = {kind.__name__ for kind in type(error).__mro__}
        return WRONG_ROWS if "DataError" in kinds else FAILED, _error_text(error)


def _error_text(error: Exception) -> bytes:
    return (" ".join(str(error).split()) or type(error).__name__).encode()


def _frame(content: bytes) -> Any:
    """Decodes rows into the data frame that the model's `predict` takes."""
    import pandas as pd
    import pyarrow as pa

    with pa.ipc.open_stream(content) as stream:
        table = stream.read_all()
    frame = table.to_pandas(integer_object_nulls=True)
    for field in table.schema:
        if JSON_COLUMN in (field.metadata or {}):
            values = [json.loads(text) for text in table[field.name].to_pylist()]
            frame[field.name] = pd.Series(values, dtype=object)
    return frame


def _unknown(model: Any, rows: Any) -> dict[str, tuple[int, int]]:
    """Counts unknown ids. Returns, by column with one category per row: (unknown, all rows)."""
    preprocessor = model.unwrap_python_model().scorer.preprocessor
    ids = preprocessor.encode(rows).categorical
    names = [field.name for field in preprocessor.schema.categorical]
    return {name: (int((ids[:, at] == 0).sum()), len(rows)) for at, name in enumerate(names)}


def _scores(found: Any) -> memoryview:
    import numpy as np
    import pyarrow as pa

    return stream_of(pa.table({"score": np.asarray(found).reshape(-1)}))


def stream_of(table: Any) -> memoryview:
    """Encodes an Arrow table as the content of a frame."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return memoryview(sink.getvalue())


def _example(model: Any) -> dict[str, Any]:
    """Scores the model's example through MLflow. Returns these and the recorded scores."""
    import numpy as np

    rows, recorded = _example_rows(model)
    found = np.asarray(model.predict(rows), dtype=float).tolist()
    return {"scores": found, "recorded": recorded}


def _milliseconds(model: Any, calls: int) -> float:
    """Returns the median time in milliseconds of `calls` calls that each score one row."""
    row, seconds = _example_rows(model)[0].head(1), []
    for _ in range(calls):
        started = time.perf_counter()
        model.predict(row)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def _example_rows(model: Any) -> tuple[Any, list[float]]:
    """Returns the rows of the model's example, and the scores recorded at registration."""
    import pandas as pd

    example = (model.metadata.metadata or {}).get("example")
    if example is None:
        raise ValueError("it has no example to test it with")
    return pd.DataFrame(example["rows"]), example["scores"]


if __name__ == "__main__":
    main(*sys.argv[1:])
