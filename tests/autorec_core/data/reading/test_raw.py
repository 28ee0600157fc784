"""Raw files in all formats, and all kinds of bad lines."""

from __future__ import annotations

import bz2
import gzip
import lzma

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autorec_core.data.reading.bad_rows import BadRows
from autorec_core.data.reading.raw import read_chunks, read_raw
from autorec_core.errors import DataError

HEAD = "user,item,rating\n"
GOOD = HEAD + "a,x,1\nb,y,2\nc,z,3\n"
QUOTED = {"kind": "delimited", "separator": ",", "header": True, "quoted": True, "columns": []}
NETFLIX = {"kind": "netflix", "columns": ["item", "user", "rating", "date"]}


@pytest.fixture
def write(tmp_path):
    def to_file(content: str | bytes, name: str = "ratings.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def test_categories_are_text_and_labels_numbers(entry, write):
    rows = read_raw(entry(), write(HEAD + "007,x,1\n1e3,y,2.0\n"))

    assert rows["user"].tolist() == ["007", "1e3"]
    assert rows["rating"].tolist() == [1.0, 2.0]
    assert rows["rating"].dtype == "float64"


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bz2", "xz"]
)
def test_compressed_files_are_recognised_by_their_first_bytes(entry, write, compress):
    assert len(read_raw(entry(), write(compress(GOOD.encode())))) == 3


def test_zstandard_is_read_too(entry, write):
    packed = pa.Codec("zstd").compress(GOOD.encode(), asbytes=True)

    assert len(read_raw(entry(), write(packed))) == 3


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(entry, write):
    rows = read_raw(entry(), write(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()))

    assert rows["rating"].tolist() == [1.0, 2.0, 3.0]


def test_a_last_line_without_line_feed_counts(entry, write):
    assert len(read_raw(entry(), write(GOOD.rstrip("\n")))) == 3


def test_a_separator_may_have_two_characters(entry, write):
    form = {
        "kind": "delimited",
        "separator": "::",
        "header": False,
        "quoted": False,
        "columns": ["user", "item", "rating", "time"],
    }
    rows = read_raw(entry(format=form), write("1::1193::3::978300760\n1::661::2::978302109\n"))

    assert rows["item"].tolist() == ["1193", "661"]
    assert rows["rating"].tolist() == [3.0, 2.0]


def test_quoted_fields_may_hold_the_separator(entry, write):
    rows = read_raw(entry(format=QUOTED), write(HEAD + '"a,b",x,1\n"say ""hi""",y,2\n'))

    assert rows["user"].tolist() == ["a,b", 'say "hi"']


@pytest.mark.parametrize("block_bytes", [8, 17, 1 << 20])
def test_netflix_rows_belong_to_the_movie_line_above(entry, write, block_bytes):
    path = write(
        "1:\n7,3,2005-09-06\n8,1,2005-05-13\n12:\n7,2,2005-10-19\n3:\n4:\n9,1,2003-01-01\n"
    )
    chunks = read_chunks(
        entry(format=NETFLIX, time="date", ignored=["date"]),
        path,
        bad=BadRows(),
        block_bytes=block_bytes,
    )
    table = pa.concat_tables([rows.table for rows in chunks]).to_pydict()

    assert table["item"] == ["1", "1", "12", "4"]
    assert table["user"] == ["7", "8", "7", "9"]
    assert table["rating"] == [3.0, 1.0, 2.0, 1.0]
    assert table["date"][1] == pd.Timestamp("2005-05-13").timestamp()


def test_a_netflix_rating_above_the_first_movie_is_refused(entry, write):
    with pytest.raises(DataError, match="line 1: a rating above the first movie line"):
        read_raw(entry(format=NETFLIX), write("7,3,2005-09-06\n1:\n8,1,2005-05-13\n"))


def test_parquet_keeps_types_and_gives_ids_their_plain_form(entry, tmp_path):
    table = pa.table({"user": [1, 2], "item": [1.0, None], "rating": [1, 2]})
    pq.write_table(table, tmp_path / "ratings.parquet")
    rows = read_raw(
        entry(format={"kind": "parquet"}, item=None), tmp_path / "ratings.parquet"
    ).astype(object)

    assert rows["user"].tolist() == ["1", "2"]
    assert rows["item"].tolist()[0] == "1"
    assert pd.isna(rows["item"].tolist()[1])


def test_several_files_are_read_in_order_with_rows_numbered_through(entry, write):
    write(GOOD, "part_1.csv")
    write(HEAD + "d,x,1\n", "part_2.csv")
    path = write("", "ignored.txt").parent / "part_*.csv"
    chunks = list(read_chunks(entry(), path, bad=BadRows()))

    assert [n for rows in chunks for n in rows.numbers] == [1, 2, 3, 5]
    assert [v for rows in chunks for v in rows.table["user"].to_pylist()] == ["a", "b", "c", "d"]


def test_missing_values_are_null(clicks, write):
    rows = read_raw(clicks(), write("click,site,device,price,age\n1,s,,,3\n0,,d,-2.5,\n"))

    assert rows["price"].isna().tolist() == [True, False]
    assert rows["device"].isna().tolist() == [True, False]
    assert rows["price"].tolist()[1] == -2.5


LONG = "x" * 10_001


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + "a,x,1\nb,y\n", "line 3: 2 columns; 3, separated by ',', are expected"),
        (HEAD + "a,x,1\nb,y,2,9\n", "line 3: 4 columns"),
        (HEAD + "a,x,1\n\nb,y,2\n", "line 3: an empty line"),
        (HEAD + "a,x,1\nb\0,y,2\n", "line 3: a NUL byte"),
        ((HEAD + "a,x,1\n").encode() + b"b\xff,y,2\n", "line 3: not UTF-8 text"),
        (HEAD + "a,x,1\nb,y\r,2\n", "line 3: a carriage return"),
        ("user;item;rating\na;x;1\n", "lacks the columns"),
        ("user,item,item\na,x,1\n", "the header names item twice"),
        (HEAD, "no usable row below its header"),
        ("", "is empty"),
        (HEAD + "a,x,\n", "line 2: rating is empty; a value is expected"),
        (HEAD + ",x,1\n", "line 2: user is empty; a value is expected"),
        (HEAD + "a,x,9\n", "line 2: rating is '9'; allowed: 1, 2, 3"),
        (HEAD + "a,x,1e400\n", "line 2: rating is '1e400'; a finite number is expected"),
        (HEAD + "a,x,1e39\n", "line 2: rating is '1e39'; at most 3.4e38 is allowed"),
        (HEAD + "a,x,nan\n", "line 2: rating is 'nan'"),
        (HEAD + "a,x,inf\n", "line 2: rating is 'inf'"),
        (HEAD + "a,x, 1\n", "line 2: rating is ' 1'"),
        (HEAD + f"a,{LONG},1\n", "line 2: item is 10,001 characters long; at most 10,000"),
    ],
)
def test_a_bad_line_is_named_with_what_is_allowed(entry, write, content, message):
    path = write(content)

    with pytest.raises(DataError) as caught:
        read_raw(entry(), path, check_labels=True)

    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", ["1e400", "nan", "inf", '"1,5"', "0x10", "1_000", "five"])
def test_text_in_a_numeric_column_is_an_error(clicks, write, number):
    path = write(f"click,site,device,price,age\n1,s,d,1,1\n0,s,d,{number},1\n")

    with pytest.raises(DataError, match=r"line 3: price is .*; a finite number is expected"):
        read_raw(clicks(format=QUOTED), path)


@pytest.mark.parametrize("line", ['"a,x,1', 'a,"x,1\nb,y",1'])
def test_an_open_quote_is_refused(entry, write, line):
    with pytest.raises(DataError, match="line 3: a quote that is not closed"):
        read_raw(entry(format=QUOTED), write(HEAD + "a,x,1\n" + line + "\nb,y,2\n"))


def test_a_truncated_gzip_file_is_refused(entry, write):
    packed = gzip.compress(GOOD.encode() * 1000)

    with pytest.raises(DataError, match="the gzip file is cut off"):
        read_raw(entry(), write(packed[: len(packed) // 2]))


def test_a_missing_file_is_named(entry, tmp_path):
    with pytest.raises(DataError, match=r"nothing\.csv cannot be read: no such file"):
        read_raw(entry(), tmp_path / "nothing.csv")


def test_a_text_file_is_no_parquet_file(entry, write):
    with pytest.raises(DataError, match="is not a whole Parquet file"):
        read_raw(entry(format={"kind": "parquet"}), write(GOOD))


def test_a_click_is_0_or_1(clicks, write):
    with pytest.raises(DataError, match="line 2: click is '2'; allowed: 0, 1"):
        read_raw(clicks(), write("click,site,device,price,age\n2,s,d,1,1\n"), check_labels=True)


DIRTY = HEAD + "a,x,1\nb,y\nc,z,9\nd,x,2\n"


@pytest.mark.parametrize("block_bytes", [4, 20, 1 << 20])
def test_a_quarantine_takes_bad_rows_and_keeps_the_numbers_of_the_others(entry, write, block_bytes):
    bad = BadRows(limit=2)
    chunks = list(read_chunks(entry(), write(DIRTY), bad=bad, block_bytes=block_bytes))

    assert [v for rows in chunks for v in rows.table["user"].to_pylist()] == ["a", "d"]
    assert [n for rows in chunks for n in rows.numbers] == [1, 4]
    assert [(row.line, row.reason.split(";")[0]) for row in bad.rows] == [
        (3, "2 columns"),
        (4, "rating is '9'"),
    ]


def test_a_quarantine_has_a_limit(entry, write):
    with pytest.raises(DataError, match="1 bad rows before it were set aside"):
        list(read_chunks(entry(), write(DIRTY), bad=BadRows(limit=1)))


def test_the_first_bad_line_is_reported_first(entry, write):
    lines = ["user,item,rating", "a,x,7", *(f"u{n},i{n * n},1" for n in range(20_000))]
    whole = gzip.compress("\n".join(lines).encode())
    described = entry()

    with pytest.raises(DataError, match=r"line 2: rating is '7'; allowed: 1, 2, 3"):
        list(read_chunks(described, write(whole[:-2000]), bad=BadRows(), block_bytes=1000))


@pytest.mark.parametrize("number", [" 1", "1 ", "\t1"])
def test_white_space_around_a_number_is_an_error(clicks, write, number):
    path = write(f"click,site,device,price,age\n1,s,d,{number},2\n")

    with pytest.raises(DataError, match=r"line 2: price is .*; a finite number is expected"):
        read_raw(clicks(), path)
