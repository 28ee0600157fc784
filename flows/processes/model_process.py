"""A registered model at work in a clean process of its own: `python -I host.py ...`.

It runs as a program of its own, so that a model made by an earlier AutoRec runs on the code that
travels with it, and nothing of the asking process leaks in. The environment names MLflow's store.

It is asked on stdin and answers on stdout, in frames: a byte for the kind, eight for the length,
so many bytes of content. Rows and scores are Arrow streams, the rest is JSON or text. It ends when
stdin does, and at any other moment when its starter is gone, so it cannot outlive that.
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

# Asked for: scores of rows, their unknown ids, its own example, the time of one row, an export.
SCORE, UNKNOWN, EXAMPLE, TIME, EXPORT = b"s", b"u", b"e", b"t", b"x"
# Answered: what the model is, scores, anything else as JSON; wrong rows; whatever else went wrong.
READY, SCORES, DONE, WRONG_ROWS, FAILED = b"R", b"S", b"J", b"D", b"E"
JSON_COLUMN = b"json"
"""In the metadata of a column of mixed types, whose values are written as JSON."""
CODE = ("code", "autorec_core")
POLL_SECONDS = 0.5
# What MLflow and Python themselves put beside a model's files.
FOREIGN = ("registered_model_meta", "__pycache__")
_HEAD = struct.Struct("<cQ")


def fingerprint(folder: Path) -> str:
    """One SHA-256 over the names and contents of a model's files."""
    digest = hashlib.sha256()
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in sorted(files.items()):
        if path.is_file() and not any(part in FOREIGN for part in Path(name).parts):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def fetch(uri: str, folder: Path, expected: str) -> Path:
    """Copies a model's files into `folder`, held against the hash it was registered with.

    Raises:
        ValueError: They are not there, or not the files that were registered.
    """
    import mlflow

    got = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder)))
    if not (got / "MLmodel").is_file():
        from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

        place = ModelsArtifactRepository.get_underlying_uri(uri)
        raise ValueError(f"its files are not where the registry has them, at {place}")
    for compiled in list(got.rglob("__pycache__")):
        shutil.rmtree(compiled)  # bytecode is run in place of the source, and has no hash
    if fingerprint(got) != expected:
        raise ValueError("its files are not those that were registered: the SHA-256 differs")
    return got


def send(file: IO[bytes], kind: bytes, content: bytes | memoryview) -> None:
    """Writes a frame."""
    file.write(_HEAD.pack(kind, len(content)))
    file.write(content)
    file.flush()


def receive(file: IO[bytes]) -> tuple[bytes, bytes] | None:
    """Reads a frame: its kind and content; None where the other side has ended."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    content = file.read(length)
    return (kind, content) if len(content) == length else None


def main(uri: str, expected: str, starter: str, place: str) -> None:
    """Loads a model into the folder `place`, says what it is, and answers until stdin ends."""
    threading.Thread(target=_end_with, args=(int(starter), Path(place)), daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to a whole group, which waits for answers
        signal.signal(number, signal.SIG_IGN)
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library or the model prints is no answer
    try:
        try:
            model, content = _load(uri, expected, Path(place))
            send(answers, READY, content)
        except Exception as error:  # whatever it is, it is the answer
            send(answers, FAILED, _said(error))
            return
        while (frame := receive(asked)) is not None:
            send(answers, *_answer(model, *frame))
    except BrokenPipeError:
        pass  # nobody is there to be answered
    finally:
        # Whoever started this does it too, unless it was killed.
        shutil.rmtree(place, ignore_errors=True)


def _end_with(starter: int, place: Path) -> None:
    """Ends this process when its starter is gone, in the middle of loading or scoring too."""
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
            # Past MLflow's look at every value, which takes four times as long as the scores.
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
    except Exception as error:  # whatever it is, it is the answer
        kinds = {one.__name__ for one in type(error).__mro__}
        return WRONG_ROWS if "DataError" in kinds else FAILED, _said(error)


def _said(error: Exception) -> bytes:
    return (" ".join(str(error).split()) or type(error).__name__).encode()


def _frame(content: bytes) -> Any:
    """The rows as a frame, as the model's `predict` takes them."""
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
    """How many ids of each column of one category a row are unknown, and how many there are."""
    preprocessor = model.unwrap_python_model().scorer.preprocessor
    ids = preprocessor.encode(rows).categorical
    names = [field.name for field in preprocessor.schema.categorical]
    return {name: (int((ids[:, at] == 0).sum()), len(rows)) for at, name in enumerate(names)}


def _scores(found: Any) -> memoryview:
    import numpy as np
    import pyarrow as pa

    return stream_of(pa.table({"score": np.asarray(found).reshape(-1)}))


def stream_of(table: Any) -> memoryview:
    """An Arrow table as the content of a frame."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return memoryview(sink.getvalue())


def _example(model: Any) -> dict[str, Any]:
    """What MLflow gives for the model's example, and what was recorded."""
    import numpy as np

    rows, recorded = _example_rows(model)
    found = np.asarray(model.predict(rows), dtype=float).tolist()
    return {"scores": found, "recorded": recorded}


def _milliseconds(model: Any, calls: int) -> float:
    """The median time that scoring one row of the example takes."""
    row, seconds = _example_rows(model)[0].head(1), []
    for _ in range(calls):
        started = time.perf_counter()
        model.predict(row)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def _example_rows(model: Any) -> tuple[Any, list[float]]:
    """The rows of the model's example, and the scores it was registered with."""
    import pandas as pd

    example = (model.metadata.metadata or {}).get("example")
    if example is None:
        raise ValueError("it has no example to be tried with")
    return pd.DataFrame(example["rows"]), example["scores"]


if __name__ == "__main__":
    main(*sys.argv[1:])
