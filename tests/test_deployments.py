"""prefect.yaml and compose.yaml agree with params.yaml, the image, and the rules of the house."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml
from packaging.utils import canonicalize_name
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule
from project import ROOT

from flows.cli.doctor import _needed
from flows.config import Params
from flows.processes.worker import END_SECONDS, POOL, REPORT_SECONDS, RUN_SECONDS

TRAINING = "flows/orchestration/train.py:autorec"
FLOWS = {
    TRAINING,
    "flows/orchestration/batch_score.py:batch_score",
    "flows/orchestration/watch_source.py:data_check",
    "flows/orchestration/watch_live.py:watch_live",
}
RECOMMEND = "flows/orchestration/recommend.py:recommend"


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


DEPLOYMENTS = read("prefect.yaml")["deployments"]
SERVICES = read("compose.yaml")["services"]
OWN = [name for name in SERVICES if name not in ("password-is-set", "postgres")]


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
    trained = {one["name"] for one in DEPLOYMENTS if one["entrypoint"] == TRAINING}
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

    for name in ("HOME", "PREFECT_HOME"):
        assert Path(written[name]).is_relative_to("/tmp"), name  # its tmpfs
    dashboard = SERVICES["prefect"]["environment"]["PREFECT_SERVER_UI_STATIC_DIRECTORY"]
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for value in (
        dashboard,
        *re.findall(r"(?:DVC_SITE_CACHE_DIR|UI_STATIC_DIRECTORY)=(\S+)", image),
    ):
        assert Path(value).is_relative_to("/tmp"), value
    assert "DVC_SITE_CACHE_DIR=" in image
    for service in SERVICES.values():
        inline = {one["source"] for one in service.get("configs", [])}
        assert not [name for name in inline if "content" in compose["configs"][name]]


def test_both_servers_keep_their_state_in_postgresql_by_drivers_that_are_installed():
    urls = {
        "prefect": SERVICES["prefect"]["environment"]["PREFECT_SERVER_DATABASE_CONNECTION_URL"],
        "mlflow": SERVICES["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"],
    }
    for name, url in urls.items():
        address = sqlalchemy.make_url(url.replace("${POSTGRES_PASSWORD:-}", "x"))
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
            if condition == {"condition": "service_completed_successfully"}:
                assert SERVICES[needed]["restart"] == "no"  # or it would never be complete
                continue
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[needed]
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source == "." or source in compose["volumes"]
        assert set(service.get("networks", [])) <= set(compose["networks"])
        assert "networks" in service or service["network_mode"] == "none"


@pytest.mark.parametrize(
    ("password", "code"), [("", 1), ("a b", 1), ("a@b", 1), ("x\ny", 1), ("abc123", 0)]
)
def test_only_up_needs_the_password_and_refuses_one_that_an_address_cannot_hold(password, code):
    """What is interpolated with `:?` is asked for by `down`, `ps` and `logs` too."""
    assert ":?" not in re.sub("#.*", "", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert "password-is-set" in SERVICES["postgres"]["depends_on"]
    script = SERVICES["password-is-set"]["entrypoint"][-1].replace("$$", "$")

    done = subprocess.run(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], "POSTGRES_PASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert ("Set POSTGRES_PASSWORD" in done.stderr) is bool(code)


def test_the_worker_has_time_to_let_its_runs_end():
    grace = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))

    assert grace >= RUN_SECONDS + REPORT_SECONDS + END_SECONDS + 5


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["entrypoint"])
def test_runs_that_are_late_do_not_start_all_at_once(deployment):
    """A training that moved data ask for is put off, never cancelled."""
    limit = ConcurrencyLimitConfig(**deployment["concurrency_limit"])
    trains = deployment["entrypoint"] == TRAINING

    assert limit.limit == 1
    assert limit.collision_strategy.value == ("ENQUEUE" if trains else "CANCEL_NEW")


def test_the_image_installs_nothing_without_its_hash():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"\bpip install ([^&\n]*)", text)

    assert len(installs) == 4
    assert all(
        "--require-hashes" in one or "--offline --no-cache --no-deps" in one for one in installs
    )


def test_what_the_code_imports_is_installed_in_the_image_which_leaves_out_the_groups():
    """Packages for tests and documentation are in the lock, and in nobody's image."""
    needed = _needed()
    owners = importlib.metadata.packages_distributions()
    files = [path for room in ("autorec_core", "flows") for path in (ROOT / room).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) if node.module}
    imported = {name.partition(".")[0] for name in names}

    lacking = {
        name
        for name in imported - sys.stdlib_module_names - {"autorec_core", "flows"}
        if name not in ("lightgbm", "surprise", "myfm")  # the benchmark alone needs these
        and not {canonicalize_name(owner) for owner in owners.get(name, [])} & needed
    }

    assert "mypy" not in needed
    assert not lacking
