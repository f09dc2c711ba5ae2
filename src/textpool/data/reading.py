"""Read labelled sentences from files, and say exactly what is wrong with a file that does not fit."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A sentence as it stands in a file."""

    text: str
    label: str
    line: int


class Columns(NamedTuple):
    """Names of the columns (CSV, TSV) or keys (JSON lines) that hold text and label."""

    text: str
    label: str


def read_rows(path: str, file_format: str | None, encoding: str, columns: Columns) -> list[Row]:
    """The sentences of a file, in order.

    Args:
        path: of the file.
        file_format: `txt` (a label, white space, the sentence), `csv`, `tsv` (with a header; quotation marks
            mean something in csv only) or `jsonl`; None: by the extension.
        encoding: of the file; a byte order mark is skipped.
        columns: where text and label stand in `csv`, `tsv` and `jsonl`.

    Raises:
        ValueError: naming file, line and remedy.
    """
    text = _decode(path, encoding)
    name = file_format or Path(path).suffix.lstrip(".").lower()
    if name not in FORMATS:
        raise ValueError(f"{path}: no format goes by the name {name!r}: set data.format to one of {', '.join(FORMATS)}")
    rows = list(FORMATS[name](path, text, columns))
    if not rows:
        raise ValueError(f"{path}: the file holds no sentence: expected at least one line with a label")
    return rows


def _decode(path: str, encoding: str) -> str:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file (paths are relative to {Path.cwd()})") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ValueError(f"data.encoding: no encoding goes by the name {encoding!r}; try utf-8") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1  # in `content` a byte order mark may stand before it
        raise ValueError(
            f"{path}:{line}: byte 0x{error.object[error.start]:02x} is not {encoding}: "
            "set data.encoding to the file's encoding, such as iso-8859-1 or cp1252"
        ) from None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without the empty ones at the end.

    Cut at line feeds alone: `str.splitlines` also cuts at the 0x85 of an ISO-8859-1 file, in mid-sentence.
    """
    for number, line in enumerate(text.rstrip().split("\n"), start=1):
        yield number, line.removesuffix("\r")


def _read_labelled_lines(path: str, text: str, columns: Columns) -> Iterator[Row]:
    if not text.strip():
        return
    for number, line in _lines(text):
        if not line or line[0].isspace():
            raise ValueError(f"{path}:{number}: line without a label: expected «label sentence», got {line[:40]!r}")
        label, *rest = line.split(None, 1)
        yield Row(rest[0] if rest else "", label, number)


def _read_table(path: str, text: str, columns: Columns, **dialect: Any) -> Iterator[Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, **dialect)
    end = 0  # line in which the record before ended
    try:
        header = list(reader.fieldnames or [])
        missing = [column for column in columns if column not in header]
        if text.strip() and missing:
            raise ValueError(
                f"{path}:1: no column {missing[0]!r}: the header has {', '.join(map(repr, header)) or 'none'}; "
                "set data.text_column and data.label_column"
            )
        end = reader.line_num
        for record in reader:
            surplus = record.pop(None, [])  # pyright: ignore[reportArgumentType, reportCallIssue]
            # the line where the record begins: it may have line feeds of its own
            line = reader.line_num - sum(field.count("\n") for field in (*record.values(), *surplus) if field)
            label, sentence = record[columns.label], record[columns.text]
            if sentence is None or label is None or not label.strip():
                raise ValueError(
                    f"{path}:{line}: line without a label: expected {len(header)} columns separated by "
                    f"{dialect['delimiter']!r}, {columns.label!r} not empty"
                )
            if surplus:
                raise ValueError(
                    f"{path}:{line}: {len(header) + len(surplus)} columns where the header has {len(header)}: "
                    f"is there a {dialect['delimiter']!r} in the text? In csv, double quotes around the text allow it"
                )
            yield Row(sentence, label.strip(), line)
            end = reader.line_num
    except csv.Error as error:
        raise ValueError(f"{path}:{end + 1}: cannot be read as a table from this line on: {error}") from error


def _read_json_lines(path: str, text: str, columns: Columns) -> Iterator[Row]:
    for number, line in _lines(text):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{path}:{number}: expected an object with {columns.text!r} and {columns.label!r}")
        for key in columns:
            if record.get(key) is None or isinstance(record[key], dict | list):
                raise ValueError(
                    f"{path}:{number}: no text or number under {key!r}: the keys are {', '.join(map(repr, record))}; "
                    "set data.text_column and data.label_column"
                )
        if not str(record[columns.label]).strip():
            raise ValueError(f"{path}:{number}: line without a label: {columns.label!r} is empty")
        yield Row(str(record[columns.text]), str(record[columns.label]).strip(), number)


FORMATS: dict[str, Callable[[str, str, Columns], Iterator[Row]]] = {
    "txt": _read_labelled_lines,
    "csv": partial(_read_table, delimiter=","),
    "tsv": partial(_read_table, delimiter="\t", quoting=csv.QUOTE_NONE),  # a quotation mark is text like any other
    "jsonl": _read_json_lines,
}
