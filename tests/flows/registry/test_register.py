"""What a registered version consists of, and what its consumers get."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import zipfile

import pytest

from autorec_core.scorer import Scorer
from flows.registry.loading import load_scorer
from flows.registry.versions import RegistryError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def number(registry):
    return registry.register(registry.models.good)


def contents(folder):
    """Every file of a folder, and every file inside its zip archives."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield path.name, content
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(io.BytesIO(content)) as archive:
                    for name in archive.namelist():
                        yield f"{path.name}/{name}", archive.read(name)


def is_pickle(content):
    """Whether bytes run as a pickle of protocol 2 or later, from their mark to their stop."""
    if content[:1] != pickle.PROTO:
        return False
    try:
        list(pickletools.genops(content))
    except ValueError:
        return False
    return True


def test_no_file_of_a_version_is_a_pickle(registry, number):
    found = dict(contents(registry.files(number)))

    assert {"MLmodel", "scorer.json", "model.keras", "lineage.json", "pyfunc.py"} <= set(found)
    assert not [name for name, content in found.items() if is_pickle(content)]
    assert not [name for name in found if name.endswith((".pkl", ".pickle", ".joblib", ".npy"))]


def test_the_check_knows_a_pickle_when_it_sees_one():
    assert is_pickle(pickle.dumps({"a": [1, 2]}))


def test_the_scoring_server_answers_raw_json_rows(registry, number, monkeypatch):
    import mlflow
    from fastapi.testclient import TestClient
    from mlflow.pyfunc.scoring_server import init

    registry.client  # noqa: B018 - connects
    server = TestClient(init(mlflow.pyfunc.load_model(f"models:/autorec-small/{number}")))
    rows = [{"user_id": "u1", "item_id": 3}, {"user_id": None, "item_id": "never seen"}]

    answer = server.post("/invocations", json={"dataframe_records": rows})

    assert answer.status_code == 200, answer.text
    scorer = Scorer.load(registry.models.good)
    expected = scorer.score_lists({"user_id": ["u1", None], "item_id": [3, "never seen"]})
    assert json.loads(answer.text)["predictions"] == pytest.approx(expected.tolist(), rel=1e-5)


def test_an_altered_file_is_not_loaded(registry):
    number = registry.register(registry.models.bad)
    version = registry.version(number)
    assert load_scorer(version, registry.root).columns == ["user_id", "item_id"]
    lineage = next(registry.files(number).rglob("lineage.json"))
    lineage.write_text("{}", encoding="utf-8")

    with pytest.raises(RegistryError, match="the SHA-256 differs"):
        load_scorer(version, registry.root)
