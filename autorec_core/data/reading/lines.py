"""Reads text files of any size, compressed or not, in blocks of whole lines."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from autorec_core.errors import DataError

BLOCK_BYTES = 16 << 20
LONGEST_LINE = 64 << 20
UTF_8 = "utf-8"
MARK = b"\xef\xbb\xbf"
"""The byte order mark that some programs write before UTF-8 text."""


@dataclass(frozen=True)
class Span:
    """The place of whole lines in an uncompressed file, so that another process can read them.

    Args:
        file: The file.
        start: The offset of the first byte.
        stop: The offset after the last byte.
    """

    file: Path
    start: int
    stop: int

    def read(self) -> bytearray:
        """Reads the lines, in the form of `Block.content`.

        Raises:
            DataError: The file cannot be read.
        """
        try:
            content = bytearray(self.stop - self.start)
            with self.file.open("rb") as file:
                file.seek(self.start)
                del content[file.readinto(content) :]
        except OSError as error:
            raise DataError(f"{self.file} cannot be read: {error.strerror or error}.") from error
        return _plain_ends(content)


@dataclass(frozen=True)
class Block:
    """Some whole lines of a file.

    Args:
        content: The lines, each ending with a line feed.
        first_line: The number of the first line, counted from 1.
        lines: Number of lines.
        span: Their place in the file; None if the file is compressed.
    """

    content: bytearray
    first_line: int
    lines: int
    span: Span | None = None


def _zstandard(file: IO[bytes]) -> Any:
    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")


# By the first bytes of a file, because its name may not tell.
_COMPRESSIONS: dict[bytes, tuple[str, Callable[[Any], Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": ("zstandard", _zstandard),
}


def read_blocks(
    path: Path, block_bytes: int = BLOCK_BYTES, encoding: str = UTF_8
) -> Iterator[Block]:
    """Reads the lines of a text file, about `block_bytes` at a time. CR LF becomes LF.

    Args:
        path: The file; gzip, bzip2, xz and zstandard are recognised by their first bytes.
        block_bytes: The number of bytes to read at once. Results must not depend on it.
        encoding: The encoding of the text: UTF-8, or one that has one byte for each character.

    Raises:
        DataError: The file cannot be read, is empty or damaged, or a line is longer than
            `LONGEST_LINE` bytes.
    """
    kind = "file"
    line, rest, at = 1, bytearray(), 0
    try:
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(0)
            stream: Any = file
            for magic, (name, opener) in _COMPRESSIONS.items():
                if start.startswith(magic):
                    kind = f"{name} file"
                    stream = opener(file)
            while (content := _more(stream, rest, block_bytes)) is not None:
                end = content.rfind(b"\n", len(rest)) + 1
                rest = content[end:]
                if len(rest) > LONGEST_LINE:
                    raise DataError(f"{path}, line {line}: longer than {LONGEST_LINE:,} bytes.")
                if not end:
                    continue
                del content[end:]
                in_place = kind == "file" and encoding == UTF_8
                span = Span(path.absolute(), at, at + end) if in_place else None
                block = _block(_utf_8(content, encoding), line, span)
                at += end
                line += block.lines
                yield block
    except EOFError as error:
        raise DataError(f"{path}: the {kind} is cut off; fetch or copy it again.") from error
    except (zlib.error, lzma.LZMAError, gzip.BadGzipFile, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: the {kind} is damaged ({error}).") from error
    except OSError as error:
        if kind != "file":
            raise DataError(f"{path}: the {kind} is damaged ({error}).") from error
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if rest:
        yield _block(_utf_8(rest + b"\n", encoding), line, None)
    elif not at:
        raise DataError(f"{path} is empty.")


def _more(stream: Any, rest: bytearray, most: int) -> bytearray | None:
    """Returns the rest of earlier bytes plus the next bytes; None at the end of the file."""
    content = bytearray(len(rest) + most)
    content[: len(rest)] = rest
    with memoryview(content) as view, view[len(rest) :] as room:
        count = stream.readinto(room)
    del content[len(rest) + count :]
    return content if count else None


def _block(content: bytearray, first_line: int, span: Span | None) -> Block:
    if first_line == 1 and content.startswith(MARK):
        content, span = content.removeprefix(MARK), None
    return Block(_plain_ends(content), first_line, content.count(b"\n"), span)


def _utf_8(content: bytearray, encoding: str) -> bytearray:
    return content if encoding == UTF_8 else bytearray(content.decode(encoding), UTF_8)


def _plain_ends(content: bytearray) -> bytearray:
    return content.replace(b"\r\n", b"\n") if b"\r" in content else content
