"""Files as users have them: four formats, and for what does not fit, file, line and remedy."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.data.reading import Columns, Row, read_rows

FILES = {
    "txt": "pos a fine film\nneg so bad\n",
    "csv": "text,label\na fine film,pos\nso bad,neg\n",
    "tsv": "label\ttext\npos\ta fine film\nneg\tso bad\n",
    "jsonl": '{"text": "a fine film", "label": "pos"}\n{"label": "neg", "text": "so bad"}\n',
}


def read(
    path: Path,
    content: str | bytes,
    format: str | None = None,
    encoding: str = "utf-8",
    text_column: str = "text",
    label_column: str = "label",
) -> list[Row]:
    """Write a file, and read its rows."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_rows(str(path), format, encoding, Columns(text_column, label_column))


def starts_with(text: str) -> str:
    """A pattern for messages that start so."""
    return "^" + re.escape(text)


@pytest.mark.parametrize("format", FILES)
def test_formats_hold_the_same_sentences(tmp_path, format):
    """All four formats, by extension in any case and by name, give the same text, labels and line numbers."""
    first = 1 if format in ("txt", "jsonl") else 2
    expected = [Row("a fine film", "pos", first), Row("so bad", "neg", first + 1)]
    assert read(tmp_path / f"a.{format}", FILES[format]) == expected
    assert read(tmp_path / f"a.{format.upper()}", FILES[format]) == expected
    assert read(tmp_path / "a.data", FILES[format], format) == expected
    assert read(tmp_path / "a.txt", FILES[format], format) == expected


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize(
    "save",
    [
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no line feed at the end"),
        pytest.param(lambda text: text.encode() + b"\n\n", id="empty lines at the end"),
    ],
)
def test_how_an_editor_saved_the_file_does_not_matter(tmp_path, format, save):
    """A byte order mark, Windows' line ends or the last line's end change no text and no label."""
    path = tmp_path / f"a.{format}"
    assert read(path, save(FILES[format])) == read(path, FILES[format])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("format", FILES)
def test_other_encodings_are_read(tmp_path, format, encoding):
    """`data.encoding` is used, and its own byte order mark is not part of the first word."""
    text = FILES[format].replace("fine", "fïne")
    rows = read(tmp_path / f"a.{format}", text.encode(encoding), encoding=encoding)
    assert [row.text for row in rows] == ["a fïne film", "so bad"]
    assert [row.label for row in rows] == ["pos", "neg"]


@pytest.mark.parametrize("format", FILES)
def test_iso_8859_1_control_byte_does_not_cut_a_line(tmp_path, format):
    """0x85 (and U+2028) in mid-line is part of the sentence, as in the published TREC files."""
    latin = FILES[format].replace("fine", "f\x85é").encode("iso-8859-1")
    rows = read(tmp_path / f"a.{format}", latin, encoding="iso-8859-1")
    assert [row.text for row in rows] == ["a f\x85é film", "so bad"]
    rows = read(tmp_path / f"a.{format}", FILES[format].replace("fine", "f\u2028e"))
    assert [row.text for row in rows] == ["a f\u2028e film", "so bad"]


def test_labelled_lines_are_cut_at_the_first_white_space(tmp_path):
    """A tab separates as well as spaces; what follows is the sentence as it stands; a label alone is allowed."""
    assert read(tmp_path / "a.txt", 'pos\ta  b\n1   c,"d\nneg\nLOC:city e') == [
        Row("a  b", "pos", 1),
        Row('c,"d', "1", 2),
        Row("", "neg", 3),
        Row("e", "LOC:city", 4),
    ]


def test_quoted_text_may_hold_anything(tmp_path):
    """Commas, line ends and doubled quotes within quotes are text, and later lines keep their numbers."""
    content = 'label,text\npos,"one, two\nthree\r\n\n""four"""\nneg,five\npos,\n'
    assert read(tmp_path / "a.csv", content) == [
        Row('one, two\nthree\r\n\n"four"', "pos", 2),
        Row("five", "neg", 6),
        Row("", "pos", 7),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,sentence,class\n1,so bad, 0 \n"),
        ("a.tsv", "class\tid\tsentence\n0\t1\tso bad\n"),
        ("a.jsonl", '{"sentence": "so bad", "class": 0, "id": [1]}\n'),
    ],
)
def test_columns_go_by_the_names_given(tmp_path, name, content):
    """Other columns are passed over, and a label of 0 is a label."""
    [row] = read(tmp_path / name, content, text_column="sentence", label_column="class")
    assert (row.text, row.label) == ("so bad", "0")


def test_json_values_may_be_numbers(tmp_path):
    """Labels and texts that are numbers are read as they are written; blank lines between are no sentences."""
    content = '{"text": "a", "label": 10}\n\n{"text": 7, "label": -1}\n{"text": "", "label": "x"}\n'
    assert read(tmp_path / "a.jsonl", content) == [Row("a", "10", 1), Row("7", "-1", 3), Row("", "x", 4)]


written = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r") | st.sampled_from("\n\x85\",\t' ")),
        st.sampled_from(["pos", "neg", "10"]),
    ),
    min_size=1,
    max_size=5,
)


@given(rows=written, delimiter=st.sampled_from(",\t"))
def test_tables_written_by_python_are_read_back(tmp_path_factory, rows, delimiter):
    """What `csv.writer` wrote comes back to the character, each record with the number of its first line.

    In TSV a quotation mark is text like any other: sentences in quotation marks are common there.
    """
    if delimiter == "\t":
        rows = [(re.sub(r"[\t\n]", " ", text), label) for text, label in rows]
        how: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None}
    else:
        how = {"delimiter": ","}
    file = io.StringIO()
    csv.writer(file, **how).writerows([("text", "label"), *rows])
    expected, line = [], 2
    for text, label in rows:
        expected.append(Row(text, label, line))
        line += 1 + text.count("\n")
    path = tmp_path_factory.mktemp("written") / "a.csv"
    assert read(path, file.getvalue(), "csv" if delimiter == "," else "tsv") == expected


@given(rows=written, ascii_only=st.booleans())
def test_json_lines_written_by_python_are_read_back(tmp_path_factory, rows, ascii_only):
    """What `json.dumps` wrote comes back to the character, one record a line."""
    content = "".join(json.dumps({"text": a, "label": b}, ensure_ascii=ascii_only) + "\n" for a, b in rows)
    path = tmp_path_factory.mktemp("written") / "a.jsonl"
    assert read(path, content) == [Row(text, label, line) for line, (text, label) in enumerate(rows, start=1)]


LINE_ERRORS: list[tuple[str, str | bytes, dict[str, Any], str]] = [
    ("a.csv", "\ntext,label\na,1\n", {}, ":1: no column 'text': the header has none"),
    ("a.csv", "text,label\na,1\n\nb\n", {}, ":4: line without a label"),
    ("a.csv", 'text,label\na,1\n"b,1\nc,2\n', {}, ":3: cannot be read as a table from this line on: unexpected end"),
    ("a.csv", 'text,label\na,1\n"b" c,1\n', {}, ":3: cannot be read as a table from this line on: ',' expected"),
    ("a.txt", "pos a\n\nneg b\n", {}, ":2: line without a label: expected «label sentence», got ''"),
    ("a.txt", "pos a\n b\n", {}, ":2: line without a label: expected «label sentence», got ' b'"),
    (
        "a.txt",
        b"pos a\nneg caf\xe9\n",
        {},
        ":2: byte 0xe9 is not utf-8: set data.encoding to the file's encoding, such",
    ),
    ("a.csv", b'text,label\n"a\nb",pos\n\x85,neg\n', {}, ":4: byte 0x85 is not utf-8: set data.encoding to"),
    ("a.txt", "pos a\nneg é\n", {"encoding": "ascii"}, ":2: byte 0xc3 is not ascii: set data.encoding to"),
    (
        "a.csv",
        "text,class\na,1\n",
        {},
        ":1: no column 'label': the header has 'text', 'class'; set data.text_column and",
    ),
    ("a.tsv", "text,label\na,1\n", {}, ":1: no column 'text': the header has 'text,label'; set data.text_column and"),
    (
        "a.csv",
        "text,label\na,1\nb, c,1\n",
        {},
        ":3: 3 columns where the header has 2: is there a ',' in the text? In csv, double",
    ),
    ("a.csv", 'text,label\n"a\nb",1\nc\n', {}, ":4: line without a label: expected 2 columns separated by ','"),
    (
        "a.csv",
        'text,label\n"a\nb",1\nc, \n',
        {},
        ":4: line without a label: expected 2 columns separated by ',', 'label'",
    ),
    ("a.tsv", "label\ttext\npos\n", {}, ":2: line without a label: expected 2 columns separated by '\\t'"),
    (
        "a.csv",
        "text,label\na,1\n" + "b" * 140_000 + ",1\n",
        {},
        ":3: cannot be read as a table",
    ),
    ("a.jsonl", '{"text": "a", "label": 1}\n{"text": "a"\n', {}, ":2: not JSON: Expecting ',' delimiter at column 13"),
    ("a.jsonl", '\n["a", 1]\n', {}, ":2: expected an object with 'text' and 'label'"),
    (
        "a.jsonl",
        '{"text": "a"}\n',
        {},
        ":1: no text or number under 'label': the keys are 'text'; set data.text_column",
    ),
    (
        "a.jsonl",
        '{"text": null, "label": 1}',
        {},
        ":1: no text or number under 'text': the keys are 'text', 'label'; set",
    ),
    ("a.jsonl", '{"text": "a", "label": [1]}', {}, ":1: no text or number under 'label'"),
    ("a.jsonl", '{"text": "a", "label": " "}', {}, ":1: line without a label: 'label' is empty"),
]


@pytest.mark.parametrize(
    ("name", "content", "how", "message"), LINE_ERRORS, ids=[e[0] + e[3][:30] for e in LINE_ERRORS]
)
def test_line_that_does_not_fit_is_named(tmp_path, name, content, how, message):
    """The user can go to the line, and reads what to do about it; after a record of two lines as well."""
    with pytest.raises(ValueError, match=starts_with(f"{tmp_path / name}{message}")):
        read(tmp_path / name, content, **how)


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
@pytest.mark.parametrize("format", ["txt", "jsonl"])
def test_file_without_lines_is_refused(tmp_path, format, content):
    """An empty file is an error, not an empty data set."""
    path = tmp_path / f"a.{format}"
    with pytest.raises(
        ValueError, match=starts_with(f"{path}: the file holds no sentence: expected at least one line")
    ):
        read(path, content)


@pytest.mark.parametrize("content", ["", "\n", "text,label\n", "text,label"])
def test_table_without_records_is_refused(tmp_path, content):
    """A header alone holds no sentence."""
    with pytest.raises(ValueError, match=starts_with(f"{tmp_path / 'a.csv'}: the file holds no sentence")):
        read(tmp_path / "a.csv", content)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz"])
def test_unknown_extension_names_the_formats(tmp_path, name):
    """Whoever has another file learns of `data.format` and what it may be."""
    message = f"{tmp_path / name}: no format goes by the name {Path(name).suffix[1:]!r}: set data.format to one of "
    with pytest.raises(ValueError, match=starts_with(message + "txt, csv, tsv, jsonl") + "$"):
        read(tmp_path / name, FILES["csv"])


def test_missing_file_tells_where_paths_start(tmp_path, monkeypatch):
    """A wrong working directory is the usual reason."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=starts_with(f"my/a.csv: no such file (paths are relative to {tmp_path})")):
        read_rows("my/a.csv", None, "utf-8", Columns("text", "label"))


def test_directory_is_not_a_file(tmp_path):
    """A folder in the place of a file is told in one line too."""
    with pytest.raises(ValueError, match=starts_with(f"{tmp_path}: cannot be read: Is a directory")):
        read_rows(str(tmp_path), "txt", "utf-8", Columns("text", "label"))


@pytest.mark.parametrize("encoding", ["utf-9", "hex"])
def test_unknown_encoding_is_named(tmp_path, encoding):
    """A mistyped encoding, or a codec that gives no text, is the setting's fault, not the file's."""
    with pytest.raises(ValueError, match=f"^data.encoding: no encoding goes by the name '{encoding}'; try utf-8"):
        read(tmp_path / "a.txt", FILES["txt"], encoding=encoding)
