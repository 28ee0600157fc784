"""What was registered through the server of `make up` is found after `make down` too."""

from __future__ import annotations

import mlflow
import pytest
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository

from flows.registry.loading import load_scorer
from flows.registry.smoke_test import smoke_test
from flows.tracking.local_artifacts import proxied_artifacts


@pytest.mark.slow
def test_a_model_that_the_server_keeps_is_loaded_without_it(registry):
    registry.client.create_experiment("autorec-small", artifact_location="mlflow-artifacts:/1")
    number = registry.register(registry.models.good)

    version = registry.version(number)
    assert list((registry.root / "mlartifacts" / "1" / "models").iterdir())
    assert smoke_test(version, root=registry.root).milliseconds(1) > 0
    assert load_scorer(version, registry.root).columns == ["user_id", "item_id"]


@pytest.mark.parametrize(
    ("address", "store"),
    [
        ("mlflow-artifacts:/1/model", "http://localhost:5000"),
        ("mlflow-artifacts://elsewhere:80/1/model", "http://localhost:5000"),
    ],
)
def test_artifacts_of_another_server_are_read_from_it(address, store):
    assert isinstance(proxied_artifacts(address, store), MlflowArtifactsRepository)


@pytest.mark.parametrize("address", ["mlflow-artifacts:/../secret", "mlflow-artifacts:/%2e%2e/x"])
def test_no_address_leads_out_of_the_folder(address, tmp_path):
    with pytest.raises(mlflow.MlflowException, match="must be a valid http or https URI"):
        proxied_artifacts(address, f"sqlite:///{tmp_path / 'mlflow.db'}")
