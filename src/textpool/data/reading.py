"""Reading of labelled texts from files; errors name the file, the line and what to do."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from textpool.checks import one_of


class LabelledText(NamedTuple):
    """A text and its label, with the number of the line in which they start in the file."""

    text: str
    label: str
    line: int


@dataclass(frozen=True)
class FileOptions:
    """Options for reading a file of labelled texts.

    Attributes:
        format: `txt` (in each line a label, white space, the text), `csv` or `tsv` (with a header; quotation marks
            have a special meaning in csv only) or `jsonl` (one JSON object per line); None: by the file extension.
        encoding: encoding of the file; a byte order mark is skipped.
        text_column: name of the column (csv, tsv) or key (jsonl) of the text.
        label_column: name of the column (csv, tsv) or key (jsonl) of the label.
    """

    format: str | None = None
    encoding: str = "utf-8"
    text_column: str = "text"
    label_column: str = "label"

    def __post_init__(self) -> None:
        if self.format is not None:
            one_of("format", self.format, FORMATS)


def read_file(path: str, options: FileOptions) -> list[LabelledText]:
    """Read the labelled texts of a file, in their order.

    Raises:
        ValueError: if the file cannot be read with these options; the message names the file, the line and what to do.
    """
    content = _decode(path, options.encoding)
    format = options.format or Path(path).suffix.lstrip(".").lower()
    if format not in FORMATS:
        raise ValueError(f"{path}: unknown file extension {format!r}: set data.format to one of {', '.join(FORMATS)}")
    texts = list(FORMATS[format](path, content, options))
    if not texts:
        raise ValueError(f"{path}: the file holds no sentence: expected at least one line with a label")
    return texts


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
        raise ValueError(f"data.encoding: unknown encoding {encoding!r}; try utf-8") from None
    except UnicodeDecodeError as error:
        # in `error.object`, not in `content`: some codecs remove the byte order mark before they decode
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}:{line}: byte 0x{error.object[error.start]:02x} is not {encoding}: "
            "set data.encoding to the file's encoding, such as iso-8859-1 or cp1252"
        ) from None


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """Lines and their numbers, without the empty lines at the end.

    Only a line feed ends a line here. `str.splitlines` also splits at the character 0x85, which occurs inside
    sentences of ISO-8859-1 files.
    """
    for number, line in enumerate(content.rstrip().split("\n"), start=1):
        yield number, line.removesuffix("\r")


def _read_labelled_lines(path: str, content: str, options: FileOptions) -> Iterator[LabelledText]:
    if not content.strip():
        return
    for number, line in _lines(content):
        if not line or line[0].isspace():
            raise ValueError(f"{path}:{number}: line without a label: expected «label sentence», got {line[:40]!r}")
        label, *rest = line.split(None, 1)
        yield LabelledText(rest[0] if rest else "", label, number)


def _read_table(path: str, content: str, options: FileOptions, **dialect: Any) -> Iterator[LabelledText]:
    columns = text_column, label_column = options.text_column, options.label_column
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True, **dialect)
    end = 0  # last line of the previous record
    try:
        header = list(reader.fieldnames or [])
        missing = [column for column in columns if column not in header]
        if content.strip() and missing:
            raise ValueError(
                f"{path}:1: no column {missing[0]!r}: the header has {', '.join(map(repr, header)) or 'none'}; "
                "set data.text_column and data.label_column"
            )
        end = reader.line_num
        for record in reader:
            surplus = record.pop(None, [])  # pyright: ignore[reportArgumentType, reportCallIssue]
            # the first line of the record: its fields may contain line feeds
            line = reader.line_num - sum(field.count("\n") for field in (*record.values(), *surplus) if field)
            label, text = record[label_column], record[text_column]
            if text is None or label is None or not label.strip():
                raise ValueError(
                    f"{path}:{line}: line without a label: expected {len(header)} columns separated by "
                    f"{dialect['delimiter']!r}, {label_column!r} not empty"
                )
            if surplus:
                raise ValueError(
                    f"{path}:{line}: {len(header) + len(surplus)} columns, but the header has {len(header)}: "
                    f"is there a {dialect['delimiter']!r} in the text? In csv, put such a text in double quotes"
                )
            yield LabelledText(text, label.strip(), line)
            end = reader.line_num
    except csv.Error as error:
        raise ValueError(f"{path}:{end + 1}: cannot be read as a table from this line on: {error}") from error


def _read_json_lines(path: str, content: str, options: FileOptions) -> Iterator[LabelledText]:
    keys = text_key, label_key = options.text_column, options.label_column
    for number, line in _lines(content):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}") from None
        if not isinstance(record, dict):
            raise ValueError(f"{path}:{number}: expected a JSON object with the keys {text_key!r} and {label_key!r}")
        for key in keys:
            if record.get(key) is None or isinstance(record[key], dict | list):
                raise ValueError(
                    f"{path}:{number}: no text or number under {key!r}: the keys are {', '.join(map(repr, record))}; "
                    "set data.text_column and data.label_column"
                )
        if not str(record[label_key]).strip():
            raise ValueError(f"{path}:{number}: line without a label: {label_key!r} is empty")
        yield LabelledText(str(record[text_key]), str(record[label_key]).strip(), number)


FORMATS: dict[str, Callable[[str, str, FileOptions], Iterator[LabelledText]]] = {
    "txt": _read_labelled_lines,
    "csv": partial(_read_table, delimiter=","),
    "tsv": partial(_read_table, delimiter="\t", quoting=csv.QUOTE_NONE),  # quotation marks are part of the text
    "jsonl": _read_json_lines,
}
