"""`autorec init-dataset` adds a table's entry to params.yaml and changes nothing else."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml
from project import PARAMS_FILE
from typer.testing import CliRunner

from autorec_core.errors import ConfigError
from flows.cli.app import app
from flows.cli.init_dataset import init_dataset
from flows.cli.params_file import build_too
from flows.config import Params

PARAMS = PARAMS_FILE.read_text(encoding="utf-8")
ROWS = "user,item,rating\n" + "".join(f"{n % 7},{n % 11},{n % 5 + 1}\n" for n in range(100))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (tmp_path / "My Table.csv").write_text(ROWS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_proposal_is_printed_as_yaml_and_nothing_is_written(folder, capsys):
    init_dataset(Path("My Table.csv"), None, None, write=False)
    printed = yaml.safe_load(capsys.readouterr().out)

    assert printed["my-table"]["label"] == "rating"
    assert printed["my-table"]["user"] == "user"
    assert (folder / "params.yaml").read_text(encoding="utf-8") == PARAMS


def test_writing_the_entry_keeps_every_other_line_and_comment(folder):
    init_dataset(Path("My Table.csv"), "mine", None, write=True)
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    params = Params.load(folder / "params.yaml")

    assert params.dataset("mine").sources[0].path == "My Table.csv"
    assert params.pipeline.datasets == ["movielens-100k", "mine"]
    for line in PARAMS.splitlines():
        assert line.replace("[movielens-100k]", "[movielens-100k, mine]") in text.splitlines()


def test_a_taken_name_is_refused(folder):
    with pytest.raises(ConfigError, match="already has a data set 'netflix'"):
        init_dataset(Path("My Table.csv"), "netflix", None, write=True)


def test_a_name_that_is_not_allowed_leaves_the_file_as_it_was(folder):
    with pytest.raises(ConfigError, match="Not Allowed"):
        init_dataset(Path("My Table.csv"), "Not Allowed", None, write=True)

    assert (folder / "params.yaml").read_text(encoding="utf-8") == PARAMS


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[movielens-100k]", "[movielens-100k, avazu]"),
        ("\n    - movielens-100k", "\n    - movielens-100k\n    - avazu"),
    ],
)
def test_any_known_data_set_can_be_put_on_the_list(folder, written, expected):
    changed = PARAMS.replace("[movielens-100k]", written, 1)
    (folder / "params.yaml").write_text(changed, encoding="utf-8")

    assert build_too("avazu")
    assert not build_too("avazu")

    text = (folder / "params.yaml").read_text(encoding="utf-8")
    assert text == PARAMS.replace("[movielens-100k]", expected, 1)


def test_the_options_name_columns_and_the_command_to_add_it_repeats_them(folder):
    rows = "".join(f"{n % 7}\t{n % 11}\t{n % 3}\t{'buy' if n % 5 else 'view'}\n" for n in range(99))
    (folder / "my ids.tsv").write_text(rows)
    said = ["--no-header", "--label", "column_4", "--positive", "buy", "--user", "column_1"]
    said += ["--categorical", "column_2", "--ignore", "column_3"]

    shown = CliRunner().invoke(app, ["init-dataset", "my ids.tsv", *said])
    entry = yaml.safe_load(shown.output)["my-ids"]
    assert (entry["positive"], entry["negative"]) == ("buy", "view")
    assert (entry["categorical"], entry["ignored"]) == (["column_1", "column_2"], ["column_3"])

    command = shlex.split(shown.output.splitlines()[-1].split("with: ")[1])
    assert CliRunner().invoke(app, command[1:]).exit_code == 0
    assert Params.load(folder / "params.yaml").dataset("my-ids").positive == ["buy"]


USERS = "user,town,age,rating\n" + "".join(
    f"{n},{'EGD'[n % 3]},{20 + 7 * n % 31},1\n" for n in range(60)
)
KINDS = ("red|blue", "blue", "green|red|blue", "red|green", "red", "green")
ITEMS = "id,title,kinds,user\n" + "".join(f"{n},Thing {n},{KINDS[n % 6]},4\n" for n in range(60))


def test_side_tables_are_proposed_with_their_keys_titles_and_roles(folder):
    (folder / "Users.csv").write_text(USERS, encoding="utf-8")
    (folder / "items.csv").write_text(ITEMS, encoding="utf-8")
    tables = {"user": Path("Users.csv"), "item": Path("items.csv")}
    init_dataset(Path("My Table.csv"), "mine", None, write=True, tables=tables)
    entry = Params.load(folder / "params.yaml").dataset("mine")

    users, items = entry.tables["users"], entry.tables["items"]
    assert (users.joins, users.key, users.categorical, users.numeric) == (
        "user",
        "user",
        ["town"],
        ["age"],
    )
    assert users.ignored == ["rating"]  # a side table must not have the label
    assert (items.joins, items.key, items.title) == ("item", "id", "title")
    assert items.multi_valued["kinds"].separator == "|"
    assert items.ignored == ["user"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--table", "shop=Users.csv"], "cannot be joined to shop, which is not a categorical"),
        (["--users", "My Table.csv"], "user cannot be the key of a side table; every row needs"),
        (["--users", "none.csv"], "none.csv cannot be read: no such file"),
        (["--table", "Users.csv"], "is not COLUMN=FILE"),
    ],
)
def test_a_side_table_that_cannot_be_joined_is_one_sentence(folder, option, said):
    (folder / "Users.csv").write_text(USERS, encoding="utf-8")
    result = CliRunner().invoke(app, ["init-dataset", "My Table.csv", *option])
    shown = " ".join((result.output + str(result.exception or "")).split())
    assert said in shown
    assert result.exit_code != 0


def test_the_shown_command_names_the_side_tables(folder, capsys):
    (folder / "Users.csv").write_text(USERS, encoding="utf-8")
    init_dataset(Path("My Table.csv"), None, None, write=False, tables={"user": Path("Users.csv")})
    assert "--users Users.csv --write" in capsys.readouterr().out
