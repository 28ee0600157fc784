"""prefect.yaml and compose.yaml agree with params.yaml, the image, and the rules of the house."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml
from prefect.client.schemas.schedules import CronSchedule
from project import ROOT

from flows.config import Params
from flows.processes.services import POOL

FLOWS = {
    "flows/orchestration/train.py:autorec",
    "flows/orchestration/batch_score.py:batch_score",
    "flows/orchestration/watch_source.py:data_check",
}
RECOMMEND = "flows/orchestration/recommend.py:recommend"


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


DEPLOYMENTS = read("prefect.yaml")["deployments"]
SERVICES = read("compose.yaml")["services"]
OWN = [name for name in SERVICES if name != "postgres"]


def test_each_data_set_of_the_pipeline_is_trained_scored_watched_and_recommended_from():
    planned = {(one["parameters"]["dataset"], one["entrypoint"]) for one in DEPLOYMENTS}
    params = Params.load(ROOT / "params.yaml")
    datasets = params.pipeline.datasets
    with_users = {
        name for name in datasets if params.dataset(name).user and params.dataset(name).item
    }

    assert planned == {(dataset, flow) for dataset in datasets for flow in FLOWS} | {
        (dataset, RECOMMEND) for dataset in with_users
    }
    assert len(DEPLOYMENTS) == len(planned)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["entrypoint"])
def test_a_deployment_gives_its_flow_what_it_takes(deployment):
    path, name = deployment["entrypoint"].split(":")
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))

    getattr(module, name).validate_parameters(deployment["parameters"])
    assert deployment["work_pool"] == {"name": POOL}
    for schedule in deployment["schedules"]:
        CronSchedule(**schedule)


def test_the_data_check_triggers_a_deployment_that_exists():
    trained = {
        one["name"]
        for one in DEPLOYMENTS
        if one["entrypoint"] == "flows/orchestration/train.py:autorec"
    }
    watched = {one["parameters"]["dataset"] for one in DEPLOYMENTS}

    assert trained == watched


def test_containers_publish_on_loopback_only():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert sorted(ports) == ["127.0.0.1:4200:4200", "127.0.0.1:5000:5000"]


@pytest.mark.parametrize("name", OWN)
def test_our_containers_have_a_read_only_root_and_no_rights(name):
    service = SERVICES[name]

    assert service["build"] == "."
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert str(service.get("user", "10001")) not in ("0", "root")


def test_what_a_read_only_root_excludes_is_not_asked_for():
    written = SERVICES["worker"]["environment"]
    compose = read("compose.yaml")

    for name in ("HOME", "PREFECT_HOME", "DVC_SITE_CACHE_DIR"):
        assert Path(written[name]).is_relative_to("/tmp"), name  # its tmpfs
    for service in SERVICES.values():
        inline = {one["source"] for one in service.get("configs", [])}
        assert not [name for name in inline if "content" in compose["configs"][name]]


def test_both_servers_keep_their_state_in_postgresql_by_drivers_that_are_installed():
    urls = {
        "prefect": SERVICES["prefect"]["environment"]["PREFECT_SERVER_DATABASE_CONNECTION_URL"],
        "mlflow": SERVICES["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"],
    }
    for name, url in urls.items():
        address = sqlalchemy.make_url(url.replace("${POSTGRES_PASSWORD}", "x"))
        address.get_dialect().import_dbapi()
        assert (address.host, address.database) == ("postgres", name)


def test_no_secret_stands_in_a_file():
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")

    assert not re.findall(r"PASSWORD: (?!\$\{)", text)
    assert not re.findall(r"://[^\s:/]+:(?!\$\{)[^@\s]+@", text)


def test_what_a_container_waits_for_and_mounts_is_there():
    compose = read("compose.yaml")
    for service in SERVICES.values():
        for needed, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[needed]
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source == "." or source in compose["volumes"]
        assert set(service["networks"]) <= set(compose["networks"])
