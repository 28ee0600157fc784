"""A Prefect server that is not there is named, with its address and what to do."""

from __future__ import annotations

import pytest
from team import free_port

from autorec_core.errors import UnreachableError
from flows.processes.health import check_prefect, fault_of_server


@pytest.mark.parametrize(
    "address", ["http://me:secret@127.0.0.1:{port}/api", "localhost:{port}/api", "http://[::1/api"]
)
def test_a_dead_prefect_address_is_one_sentence_without_its_password(monkeypatch, address):
    monkeypatch.setenv("PREFECT_API_URL", given := address.format(port=free_port()))

    with pytest.raises(UnreachableError, match="unset PREFECT_API_URL") as caught:
        check_prefect(given)

    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/health", "http://[::1", "nonsense"])
def test_every_fault_of_an_address_is_reported_as_text(address):
    assert fault_of_server(address.format(port=free_port()))
