"""A file to be scored that is laid out as the training file is read as that one was."""

from __future__ import annotations

from entries import ratings_entry

from autorec_core.data.reading.bad_rows import BadRows
from flows.serving.files.raw_format import description, read


def test_a_table_saved_by_excel_is_read_as_in_training(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"\xef\xbb\xbfsep=;\r\nuser;item;rating\r\na;x;1\r\nb;y;NA\r\n")
    form = {"kind": "delimited", "separator": ";", "header": True, "quoted": False, "columns": []}
    entry = ratings_entry(format=form, missing=["NA"])

    assert description(entry, path, ",") == "a header line, columns separated by ';'"
    tables = [table for table, _ in read(entry, path, 1 << 16, BadRows())]
    assert tables[0].to_pydict() == {"user": ["a", "b"], "item": ["x", "y"], "rating": ["1", "NA"]}
