"""A CSV or JSON-lines file as a stream of rows: where each stands, and whether what was read before is unchanged."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from connectors.errors import ConfigError

# More would be a quote that is never closed, or a file without line ends.
MAX_LINE_BYTES = 64_000_000
_DELIMITERS = ",;\t|"
_BOM = b"\xef\xbb\xbf"
_CHUNK_BYTES = 1 << 20


class RowError(ValueError):
    """A row that cannot be read as one; the message does not quote it.

    Attributes:
        line: Where it starts, from 1.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    """A row by its columns' names; a JSON value may be of any type.

    Attributes:
        line: Where it starts, from 1.
        number: Which row of the file it is, from 1, without header and blank lines.
    """

    line: int
    number: int
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Position:
    """A place between two rows, and the digest of all before it.

    Attributes:
        offset: Bytes, after decompression.
        lines: Lines before it.
        rows: Rows before it.
    """

    offset: int
    lines: int
    rows: int
    digest: str


class Table:
    """One file.

    Args:
        path: Ends in `.csv` or `.jsonl`, and may end in `.gz` after that.
        encoding: One in which ASCII is ASCII.
        delimiter: Between the columns of a CSV file; None finds it out.

    Attributes:
        columns: Names in the header; those of the first rows for JSON lines.

    Raises:
        ConfigError: The file cannot be read.
    """

    def __init__(self, path: Path, *, encoding: str = "utf-8", delimiter: str | None = None) -> None:
        self.path = path
        self.name = path.name
        self._encoding = encoding
        self._is_csv = ".csv" in path.suffixes
        self._delimiter = delimiter or ","
        self.columns: list[str] = []
        if self._is_csv:
            self._delimiter = delimiter or self._sniffed()
            self.columns = self._header()
        else:
            for number, row in enumerate(Reader(self).tolerant()):
                self.columns += [name for name in row.cells if name not in self.columns]
                if number == 100:
                    break

    @property
    def fingerprint(self) -> list[int]:
        """Changes when the file does: size in bytes, and when it was written."""
        try:
            stat = self.path.stat()
        except OSError as error:
            raise self.unreadable(error) from error
        return [stat.st_size, stat.st_mtime_ns]

    def open(self) -> IO[bytes]:
        """The file's bytes after decompression."""
        opener = gzip.open if self.path.suffix == ".gz" else open
        try:
            return cast("IO[bytes]", opener(self.path, "rb"))
        except OSError as error:
            raise self.unreadable(error) from error

    def unreadable(self, error: OSError) -> ConfigError:
        """What to raise where the file system refuses."""
        why = error.strerror or type(error).__name__
        return ConfigError(f"cannot read {self.path}: {why}", hint="check the file, its owner and mode")

    def decoded(self, line: bytes, number: int) -> str:
        """A line as text.

        Raises:
            ConfigError: It is in another encoding.
        """
        if number == 1:
            if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise ConfigError(f"{self.name} is in UTF-16", hint="save it as UTF-8")
            line = line.removeprefix(_BOM)
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError:
            other = "cp1252" if self._encoding == "utf-8" else "utf-8"
            raise ConfigError(
                f"{self.name}, line {number}: not in {self._encoding}",
                hint=f'save the file as UTF-8, or set encoding = "{other}" under [settings] in mapping.toml',
            ) from None

    def parsed(self, lines: Iterator[str]) -> Iterator[dict[str, Any] | str]:
        """Rows of lines, blank ones empty; for one that cannot be read, what is wrong with it."""
        return self._csv(lines) if self._is_csv else map(_json, lines)

    def skip_header(self, lines: Iterator[str]) -> None:
        """Leaves the header out, where there is one."""
        if self._is_csv:
            next(csv.reader(lines, delimiter=self._delimiter), None)

    def _csv(self, lines: Iterator[str]) -> Iterator[dict[str, Any] | str]:
        csv.field_size_limit(MAX_LINE_BYTES)
        rows = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield f"not CSV ({error})"
                continue
            if not any(cells):
                yield {}
            elif len(cells) != len(self.columns):
                yield f"{len(cells)} cells, but the header has {len(self.columns)}"
            else:
                yield dict(zip(self.columns, cells, strict=True))

    def _first_line(self) -> str:
        with self.open() as file:
            return self.decoded(file.readline(MAX_LINE_BYTES), 1)

    def _sniffed(self) -> str:
        # The header alone: further down there may be texts with more commas than columns.
        try:
            return csv.Sniffer().sniff(self._first_line(), delimiters=_DELIMITERS).delimiter
        except csv.Error:
            return ","

    def _header(self) -> list[str]:
        reader = Reader(self)
        columns = next(csv.reader(reader.lines(), delimiter=self._delimiter), [])
        reader.close()
        names = [name.strip() for name in columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ConfigError(f"{self.name}: two columns are called {', '.join(twice)}", hint="rename one of them")
        if not any(names):
            raise ConfigError(f"{self.name}: the first line has no names of columns", hint="add a header line")
        return names


class Reader:
    """Reads a table's rows from its beginning or from a position on.

    Attributes:
        offset: Bytes read so far.
        lines_read: Lines read so far.
        rows_read: Rows read so far.
        is_continued: Whether it starts at the position, for all before it is as it was.
    """

    def __init__(self, table: Table, start: Position | None = None) -> None:
        self._table = table
        self._file = table.open()
        self._hash = hashlib.blake2b(digest_size=16)
        self.offset = self.lines_read = self.rows_read = 0
        self.is_continued = start is not None and self._skip(start)
        if not self.is_continued:
            self._file.seek(0)
            self._hash = hashlib.blake2b(digest_size=16)

    def _skip(self, start: Position) -> bool:
        """Goes to a position; whether all before it is as it was."""
        left = start.offset
        while left and (chunk := self._file.read(min(left, _CHUNK_BYTES))):
            self._hash.update(chunk)
            left -= len(chunk)
        if left or self._hash.hexdigest() != start.digest:
            return False
        self.offset, self.lines_read, self.rows_read = start.offset, start.lines, start.rows
        return True

    def position(self) -> Position:
        """Where it stands."""
        return Position(self.offset, self.lines_read, self.rows_read, self._hash.hexdigest())

    def lines(self) -> Iterator[str]:
        """The lines from here on.

        Raises:
            ConfigError: One is in another encoding, or too long.
        """
        while line := self._read_line():
            self._hash.update(line)
            self.offset += len(line)
            self.lines_read += 1
            if len(line) > MAX_LINE_BYTES:
                raise ConfigError(
                    f"{self._table.name}, line {self.lines_read}: longer than {MAX_LINE_BYTES // 1_000_000} MB",
                    hint="is it a file of text with line ends?",
                )
            yield self._table.decoded(line, self.lines_read)

    def _read_line(self) -> bytes:
        try:
            return self._file.readline(MAX_LINE_BYTES + 1)
        except (OSError, EOFError) as error:
            raise self._table.unreadable(error if isinstance(error, OSError) else OSError(5, "cut short")) from error

    def __iter__(self) -> Iterator[Row | RowError]:
        """The rows from here on, blank ones left out; an error in the place of one that cannot be read."""
        try:
            lines = self.lines()
            if self.offset == 0:
                self._table.skip_header(lines)
            rows = self._table.parsed(lines)
            while True:
                first = self.lines_read + 1
                row = next(rows, None)
                if row is None:
                    return
                if row:
                    self.rows_read += 1
                    yield RowError(first, row) if isinstance(row, str) else Row(first, self.rows_read, row)
        finally:
            self.close()

    def tolerant(self) -> Iterator[Row]:
        """The rows that can be read."""
        return (row for row in self if isinstance(row, Row))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _json(line: str) -> dict[str, Any] | str:
    if not line.strip():
        return {}
    try:
        value = json.loads(line)
    except ValueError as error:
        return f"not JSON (column {getattr(error, 'colno', 1)})"
    return value if isinstance(value, dict) else "not a JSON object"
