"""Reading of labelled texts from files; errors name the file, the line and what to do."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from textpool.checks import cut, one_of

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}  # names, since these characters need quotes in a shell


Refuse = Callable[[str], None]  # what happens with the message about a line that cannot be read


def fail(message: str) -> None:
    """End the reading of a file at a line that cannot be read.

    Raises:
        ValueError: with the message.
    """
    raise ValueError(message)


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
        delimiter: character between two columns (csv, tsv), or its name `comma`, `semicolon` or `tab`; None: in csv,
            the one of these three that separates the names of both columns in the header, in tsv a tab.

    Raises:
        ValueError: if an option has the wrong type or is not one of the allowed values.
    """

    format: str | None = None
    encoding: str = "utf-8"
    text_column: str = "text"
    label_column: str = "label"
    delimiter: str | None = None

    def __post_init__(self) -> None:
        if self.format is not None:
            one_of("format", self.format, FORMATS)
        for name, what in (
            ("encoding", "the name of an encoding, such as utf-8"),
            ("text_column", "the name of the column or key of the text"),
            ("label_column", "the name of the column or key of the label"),
        ):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise ValueError(f"{name}: expected {what}, got {value!r}")
        if self.text_column == self.label_column:
            raise ValueError(f"label_column: expected another column than text_column, got {self.label_column!r}")
        if self.delimiter is not None and self.delimiter not in DELIMITERS:
            one_character = isinstance(self.delimiter, str) and len(self.delimiter) == 1
            if not one_character or self.delimiter in '\r\n"':
                raise ValueError(
                    f"delimiter: expected {', '.join(DELIMITERS)} or one character, other than a line end or a "
                    f"double quote, got {self.delimiter!r}"
                )


def read_file(path: str, options: FileOptions, refuse: Refuse = fail) -> list[LabelledText]:
    """Read the labelled texts of a file, in their order.

    Args:
        path: of the file.
        options: how to read it.
        refuse: gets a message about each line that cannot be read, which is then left out; by default the first one
            ends the reading.

    Raises:
        ValueError: if the file cannot be read with these options; the message names the file, the line and what to do.
    """
    content = _decode(path, options.encoding, refuse)
    format = options.format or Path(path).suffix.lstrip(".").lower()
    if format not in FORMATS:
        raise ValueError(f"{path}: unknown file extension {format!r}: set data.format to one of {', '.join(FORMATS)}")
    if format in ("txt", "jsonl") and "\r" in content.strip() and "\n" not in content.strip():
        raise ValueError(
            f"{path}: its lines end with a carriage return (CR) alone: expected LF or CR LF: convert it, for example "
            "with tr '\\r' '\\n'"
        )
    try:
        texts = list(FORMATS[format](path, content, options, lambda message: refuse(cut(message))))
    except ValueError as error:  # it may show a part of the file that is of any length
        raise ValueError(cut(str(error))) from error
    if "\ufffd" in content and refuse is not fail:
        texts = [text for text in texts if _is_whole(path, text, options.encoding, refuse)]
    if not texts:
        raise ValueError(f"{path}: the file holds no sentence: expected at least one line with a label")
    return texts


def _is_whole(path: str, text: LabelledText, encoding: str, refuse: Refuse) -> bool:
    """Whether all of a text and its label could be decoded."""
    if "\ufffd" in text.text + text.label:
        refuse(f"{path}:{text.line}: not in the encoding {encoding}")
        return False
    return True


def regular_file(path: str | Path) -> None:
    """Refuse what can be opened but has no end, or can be read only once.

    Raises:
        ValueError: if it is a device or a pipe; whether there is a file is found out when it is opened.
    """
    if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
        raise ValueError(f"{path}: expected a file, got a device or a pipe")


def _decode(path: str, encoding: str, refuse: Refuse) -> str:
    """The content of a file; what cannot be decoded is U+FFFD, where `refuse` does not end the reading."""
    try:
        regular_file(path)
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file (paths are relative to {Path.cwd()})") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        expected = "expected one such as utf-8, iso-8859-1 or cp1252"
        raise ValueError(f"data.encoding: unknown encoding {encoding!r}: {expected}") from None
    except UnicodeDecodeError as error:
        # in `error.object`, not in `content`: some codecs remove the byte order mark before they decode
        line = error.object[: error.start].count(b"\n") + 1
        message = (
            f"{path}:{line}: byte 0x{error.object[error.start]:02x} is not {encoding}: "
            "set data.encoding to the file's encoding, such as iso-8859-1 or cp1252"
        )
    if refuse is fail:
        fail(message)
    return content.decode(encoding, "replace").removeprefix("\ufeff")


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """Lines and their numbers, without the empty lines at the end.

    Only a line feed ends a line here. `str.splitlines` also splits at the character 0x85, which occurs inside
    sentences of ISO-8859-1 files.
    """
    for number, line in enumerate(content.rstrip().split("\n"), start=1):
        yield number, line.removesuffix("\r")


def _read_labelled_lines(path: str, content: str, options: FileOptions, refuse: Refuse) -> Iterator[LabelledText]:
    if not content.strip():
        return
    for number, line in _lines(content):
        if not line or line[0].isspace():
            refuse(f"{path}:{number}: line without a label: expected «label sentence», got {line[:40]!r}")
            continue
        label, *rest = line.split(None, 1)
        yield LabelledText(rest[0] if rest else "", label, number)


def _read_table(
    path: str, content: str, options: FileOptions, refuse: Refuse, candidates: Sequence[str], **dialect: Any
) -> Iterator[LabelledText]:
    if not content.strip():
        return
    columns = text_column, label_column = options.text_column, options.label_column
    if options.delimiter is not None:
        candidates = [DELIMITERS.get(options.delimiter, options.delimiter)]
    delimiter = _find_delimiter(content, columns, candidates, dialect)
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True, delimiter=delimiter, **dialect)
    try:
        header = list(reader.fieldnames or [])
    except csv.Error as error:
        raise ValueError(f"{path}:1: cannot be read as a table: {error}") from error
    missing = [column for column in columns if column not in header]
    if missing:
        raise ValueError(
            f"{path}:1: no column {missing[0]!r}: the header has {', '.join(map(repr, header)) or 'none'}; "
            f"set data.text_column and data.label_column, or data.delimiter (now {delimiter!r})"
        )
    for record in _records(path, reader, refuse):
        surplus = record.pop(None, [])  # pyright: ignore[reportArgumentType, reportCallIssue]
        # the first line of the record: its fields may contain line feeds
        line = reader.line_num - sum(field.count("\n") for field in (*record.values(), *surplus) if field)
        label, text = record[label_column], record[text_column]
        if text is None or label is None or not label.strip():
            refuse(
                f"{path}:{line}: line without a label: expected {len(header)} columns separated by "
                f"{delimiter!r}, {label_column!r} not empty"
            )
        elif surplus:
            refuse(
                f"{path}:{line}: {len(header) + len(surplus)} columns, but the header has {len(header)}: "
                f"is there a {delimiter!r} in the text? In csv, put such a text in double quotes"
            )
        else:
            yield LabelledText(text, label.strip(), line)


def _records(path: str, reader: "csv.DictReader[str]", refuse: Refuse) -> Iterator[dict[str, Any]]:
    """The records of a table; the reader goes on in the line after one that cannot be read."""
    while True:
        end = reader.line_num  # last line of the previous record
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            refuse(f"{path}:{end + 1}: cannot be read as a table from this line on: {error}")


def _find_delimiter(content: str, columns: Sequence[str], candidates: Sequence[str], dialect: dict[str, Any]) -> str:
    """The candidate that separates the most of the needed columns in the header; of equals, the most columns."""

    def columns_found(delimiter: str) -> tuple[int, int]:
        try:
            header = next(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, **dialect), [])
        except csv.Error:
            header = []
        return len(set(columns) & set(header)), len(header)

    return max(candidates, key=columns_found)


def _read_json_lines(path: str, content: str, options: FileOptions, refuse: Refuse) -> Iterator[LabelledText]:
    for number, line in _lines(content):
        if not line.strip():
            continue
        try:
            yield LabelledText(*_of_json(line, options), number)
        except ValueError as error:
            refuse(f"{path}:{number}: {error}")


def _of_json(line: str, options: FileOptions) -> tuple[str, str]:
    """The text and the label of a line of JSON."""
    keys = text_key, label_key = options.text_column, options.label_column
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("not JSON that can be read: it is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object with the keys {text_key!r} and {label_key!r}")
    for key in keys:
        if record.get(key) is None or isinstance(record[key], dict | list):
            raise ValueError(
                f"no text or number under {key!r}: the keys are {', '.join(map(repr, record))}; "
                "set data.text_column and data.label_column"
            )
    if not str(record[label_key]).strip():
        raise ValueError(f"line without a label: {label_key!r} is empty")
    text, label = str(record[text_key]), str(record[label_key]).strip()
    half = re.search("[\ud800-\udfff]", text + label)
    if half:
        raise ValueError(f"half of a surrogate pair, {half[0]!r}, which is no character")
    return text, label


FORMATS: dict[str, Callable[[str, str, FileOptions, Refuse], Iterator[LabelledText]]] = {
    "txt": _read_labelled_lines,
    "csv": partial(_read_table, candidates=tuple(DELIMITERS.values())),
    "tsv": partial(_read_table, candidates=("\t",), quoting=csv.QUOTE_NONE),  # quotation marks are part of the text
    "jsonl": _read_json_lines,
}
