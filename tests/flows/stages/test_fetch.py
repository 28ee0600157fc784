"""Fetching, against a real server on loopback: resumed, verified, safely unpacked."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
import side_tables as shop
from entries import ratings_entry

from autorec_core.data.reading.raw import read_raw
from autorec_core.data.reading.side_tables import read_side_tables
from autorec_core.errors import DataError, UnreachableError
from flows.orchestration.source_changes import own_file_changed, source_changed
from flows.stages import unpack as unpack_module
from flows.stages.download import download
from flows.stages.fetch import fetch
from flows.stages.unpack import unpack
from flows.workspace import Places

CONTENT = bytes(range(256)) * 4000


class Server:
    """Serves one file, and misbehaves as told."""

    def __init__(self):
        self.content = CONTENT
        self.ranges = True  # whether a Range header is heeded
        self.cuts = 0  # how many answers end in the middle
        self.status = 200
        self.asked: list[str | None] = []

    def handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked = self.headers.get("Range")
                server.asked.append(asked)
                first = int(asked[6:-1]) if asked and server.ranges else 0
                if server.status != 200:
                    self.send_error(server.status)
                elif first >= len(server.content):
                    self.send_error(416)
                else:
                    body = server.content[first:]
                    self.send_response(206 if first else 200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    if server.cuts:
                        server.cuts -= 1
                        body = body[: len(body) // 2]
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def server():
    behaviour = Server()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), behaviour.handler())
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    behaviour.url = f"http://127.0.0.1:{listening.server_port}/file.zip"
    yield behaviour
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_an_interrupted_download_continues(server, tmp_path):
    server.cuts = 2
    download(server.url, tmp_path / "partial")

    assert (tmp_path / "partial").read_bytes() == CONTENT
    half = len(CONTENT) // 2
    assert server.asked == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]


def test_an_earlier_process_s_download_is_continued(server, tmp_path):
    (tmp_path / "partial").write_bytes(CONTENT[:1000])
    download(server.url, tmp_path / "partial")

    assert server.asked == ["bytes=1000-"]
    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_starts_over(server, tmp_path):
    server.ranges = False
    (tmp_path / "partial").write_bytes(b"something else")
    download(server.url, tmp_path / "partial")

    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_a_complete_file_is_not_downloaded_again(server, tmp_path):
    (tmp_path / "partial").write_bytes(CONTENT)
    download(server.url, tmp_path / "partial")

    assert (tmp_path / "partial").read_bytes() == CONTENT


def test_a_connection_that_always_breaks_keeps_the_received_bytes(server, tmp_path):
    server.cuts = 99
    with pytest.raises(UnreachableError, match="no answer"):
        download(server.url, tmp_path / "partial")

    assert 0 < (tmp_path / "partial").stat().st_size < len(CONTENT)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_is_an_answer(server, tmp_path, status):
    server.status = status
    with pytest.raises(UnreachableError, match=f"the server answers {status}"):
        download(server.url, tmp_path / "partial")


def test_progress_is_logged_without_a_terminal(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("flows.stages.download.LOG_SECONDS", 0.0)
    with caplog.at_level("INFO"):
        download(server.url, tmp_path / "partial")

    assert f"{len(CONTENT):,} of {len(CONTENT):,} (100%) bytes" in caplog.text


def test_credentials_come_from_the_environment_and_go_over_https_only(
    server, tmp_path, monkeypatch
):
    monkeypatch.delenv("KAGGLE_KEY", raising=False)
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    names = ["KAGGLE_USERNAME", "KAGGLE_KEY"]

    with pytest.raises(DataError, match="credentials are sent only to https URLs"):
        download(server.url, tmp_path / "partial", names)
    with pytest.raises(UnreachableError, match="set KAGGLE_KEY in the environment"):
        download("https://127.0.0.1:1/file", tmp_path / "partial", names)
    assert server.asked == []


def zipped(**members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def entry(server, **changes):
    source = {
        "kind": "archive",
        "url": server.url,
        "sha256": hashlib.sha256(server.content).hexdigest(),
        "member": "ratings.csv",
        "credentials": None,
        **changes,
    }
    return ratings_entry(sources=[source])


def test_an_archive_is_fetched_verified_and_unpacked(server, tmp_path):
    server.content = zipped(**{"readme.txt": b"?", "ratings.csv": b"user,item,rating\n"})
    server.cuts = 1
    said = fetch("mine", entry(server), tmp_path / "raw", root=tmp_path)

    assert (tmp_path / "raw" / "ratings.csv").read_bytes() == b"user,item,rating\n"
    assert [file.name for file in (tmp_path / "raw").iterdir()] == ["ratings.csv"]
    assert "17 bytes" in said


def test_a_wrong_checksum_leaves_nothing_new_and_the_old_file(server, tmp_path):
    server.content = zipped(**{"ratings.csv": b"new"})
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ratings.csv").write_bytes(b"old")

    with pytest.raises(DataError, match="SHA-256"):
        fetch("mine", entry(server, sha256="0" * 64), tmp_path / "raw", root=tmp_path)

    assert (tmp_path / "raw" / "ratings.csv").read_bytes() == b"old"
    assert not list((tmp_path / "data" / "incoming" / ".partial").iterdir())


@pytest.mark.parametrize("name", ["../evil.csv", "/evil.csv", "a/../../evil.csv", "..\\evil.csv"])
def test_a_path_outside_the_folder_is_refused(tmp_path, name):
    (tmp_path / "a.zip").write_bytes(zipped(**{name: b"x", "ratings.csv": b"y"}))
    folder = tmp_path / "inner" / "to"
    folder.mkdir(parents=True)

    with pytest.raises(DataError, match="a path outside its own folder"):
        unpack(tmp_path / "a.zip", "ratings.csv", folder, "ratings.csv")

    assert not list(tmp_path.rglob("evil*"))


def test_a_bomb_is_refused_before_it_goes_off(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack_module, "CHUNK", 1)  # so that a small bomb is one
    (tmp_path / "a.zip").write_bytes(zipped(**{"ratings.csv": bytes(10_000_000)}))

    with pytest.raises(DataError, match="which is suspicious"):
        unpack(tmp_path / "a.zip", "ratings.csv", tmp_path, "ratings.csv")

    assert not (tmp_path / "ratings.csv").exists()


def test_a_damaged_archive_is_named(tmp_path):
    packed = bytearray(zipped(**{"ratings.csv": bytes(range(256)) * 40}))
    packed[60:90] = bytes(30)
    (tmp_path / "a.zip").write_bytes(packed)

    with pytest.raises(DataError, match="the archive is damaged"):
        unpack(tmp_path / "a.zip", "ratings.csv", tmp_path, "ratings.csv")


def test_a_partitioned_folder_is_fetched_with_its_folders(tmp_path):
    rows = pd.DataFrame({"user": ["a", "b"], "rating": [1, 2], "item": ["x y", "z"]})
    own, places = tmp_path / "own", Places("parts", tmp_path)
    rows.to_parquet(own, partition_cols=["item"])
    entry = ratings_entry(
        file="rows", format={"kind": "parquet"}, sources=[{"kind": "file", "path": "own"}]
    )

    said = fetch("parts", entry, places.raw, root=tmp_path)

    assert "rows" in said
    assert read_raw(entry, places.raw / "rows")["item"].tolist() == ["x y", "z"]
    assert not own_file_changed(entry, places)
    next(own.rglob("*.parquet")).unlink()
    assert own_file_changed(entry, places)


def test_a_folder_without_a_table_is_reported(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "t.csv").write_text("user,item,rating\n")
    entry = ratings_entry(sources=[{"kind": "file", "path": "own"}])

    with pytest.raises(UnreachableError, match="a folder without Parquet files"):
        fetch("parts", entry, tmp_path / "raw", root=tmp_path)


def test_side_tables_are_fetched_and_their_changes_are_seen(tmp_path):
    shop.write_sources(tmp_path)
    entry, places = ratings_entry(tables=shop.TABLES), Places("shop", tmp_path)

    said = fetch("shop", entry, places.raw, root=tmp_path)

    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "shop",
        "shop, table users",
        "shop, table items",
    ]
    assert len(read_side_tables(entry, places.raw)["users"]) == 40
    assert not own_file_changed(entry, places)
    shop.users().head(30).to_csv(tmp_path / "users.csv", index=False)
    assert own_file_changed(entry, places)
    assert source_changed(entry, places) is not None


def test_a_table_without_a_source_names_its_file(tmp_path):
    shop.write_sources(tmp_path)
    (tmp_path / "users.csv").unlink()
    entry = ratings_entry(tables=shop.TABLES)

    with pytest.raises(UnreachableError, match=r"table users gave users.csv.*Put users.csv at"):
        fetch("shop", entry, tmp_path / "raw", root=tmp_path)
    assert not (tmp_path / "raw").exists()
