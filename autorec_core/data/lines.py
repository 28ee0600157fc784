"""Text files of any size, compressed or not, as blocks of whole lines."""

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


@dataclass(frozen=True)
class Span:
    """Whole lines of an uncompressed file by their place, for whoever reads them elsewhere.

    Args:
        file: The file.
        start: The place of their first byte.
        stop: The place behind their last.
    """

    file: Path
    start: int
    stop: int

    def read(self) -> bytes:
        """The lines as `Block.content` has them.

        Raises:
            DataError: The file cannot be read.
        """
        try:
            with self.file.open("rb") as file:
                file.seek(self.start)
                content = file.read(self.stop - self.start)
        except OSError as error:
            raise DataError(f"{self.file} cannot be read: {error.strerror or error}.") from error
        return _plain_ends(content)


@dataclass(frozen=True)
class Block:
    """Some whole lines of a file.

    Args:
        content: The lines, each ending with a line feed.
        first_line: The number of the first, counted from 1.
        span: Where they stand, if the file is not compressed and they are not its first.
    """

    content: bytes
    first_line: int
    span: Span | None = None


def _zstandard(file: IO[bytes]) -> Any:
    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")


# By the first bytes, since a file's name may say nothing.
_COMPRESSIONS: dict[bytes, tuple[str, Callable[[Any], Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": ("zstandard", _zstandard),
}


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """A text file's lines, about `block_bytes` at a time, with Windows line ends made plain.

    Args:
        path: The file; gzip, bzip2, xz and zstandard are told by their first bytes.
        block_bytes: How much is read at once; no result may depend on it.

    Raises:
        DataError: The file cannot be read, is empty, its compression is broken, or a line is
            absurdly long.
    """
    kind = "file"
    line, rest, blocks, at = 1, b"", 0, 0
    try:
        with path.open("rb") as file:
            start = file.read(8)
            file.seek(0)
            stream: Any = file
            for magic, (name, opener) in _COMPRESSIONS.items():
                if start.startswith(magic):
                    kind = f"{name} file"
                    stream = opener(file)
            while data := stream.read(block_bytes):
                whole, end, tail = data.rpartition(b"\n")
                if not end:
                    rest += data
                    if len(rest) > LONGEST_LINE:
                        raise DataError(f"{path}, line {line}: longer than {LONGEST_LINE:,} bytes.")
                    continue
                content = rest + whole + end
                span = Span(path.absolute(), at, at + len(content)) if kind == "file" else None
                block = _block(content, line, span if blocks else None)
                rest = tail
                at += len(content)
                line += block.content.count(b"\n")
                blocks += 1
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
        blocks += 1
        yield _block(rest + b"\n", line, None)
    if not blocks:
        raise DataError(f"{path} is empty.")


def _block(content: bytes, first_line: int, span: Span | None) -> Block:
    if first_line == 1:
        content = content.removeprefix(b"\xef\xbb\xbf")
    return Block(_plain_ends(content), first_line, span)


def _plain_ends(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n") if b"\r" in content else content
