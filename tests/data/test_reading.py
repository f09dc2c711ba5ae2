"""Reading of labelled texts: four formats, and errors that name the file, the line and what to do."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.data.reading import FileOptions, LabelledText, read_file

FILES = {
    "txt": "pos a fine film\nneg so bad\n",
    "csv": "text,label\na fine film,pos\nso bad,neg\n",
    "tsv": "label\ttext\npos\ta fine film\nneg\tso bad\n",
    "jsonl": '{"text": "a fine film", "label": "pos"}\n{"label": "neg", "text": "so bad"}\n',
}


def read(path: Path, content: str | bytes, format: str | None = None, **options: Any) -> list[LabelledText]:
    """Write a file and read it."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_file(str(path), FileOptions(format, **options))


def starts_with(text: str) -> str:
    """A regular expression for messages that start with a text."""
    return "^" + re.escape(text)


@pytest.mark.parametrize("format", FILES)
def test_formats_give_the_same_texts(tmp_path, format):
    """All four formats give the same texts, labels and line numbers, chosen by extension in any case or by name."""
    first = 1 if format in ("txt", "jsonl") else 2
    expected = [LabelledText("a fine film", "pos", first), LabelledText("so bad", "neg", first + 1)]
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
def test_conventions_of_text_editors_do_not_matter(tmp_path, format, save):
    """A byte order mark, Windows line ends and a missing last line end change no text and no label."""
    path = tmp_path / f"a.{format}"
    assert read(path, save(FILES[format])) == read(path, FILES[format])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("format", FILES)
def test_other_encodings_are_read(tmp_path, format, encoding):
    """The option `encoding` is used, and the byte order mark of the encoding is not part of the first word."""
    text = FILES[format].replace("fine", "fïne")
    texts = read(tmp_path / f"a.{format}", text.encode(encoding), encoding=encoding)
    assert [text.text for text in texts] == ["a fïne film", "so bad"]
    assert [text.label for text in texts] == ["pos", "neg"]


@pytest.mark.parametrize("format", FILES)
def test_iso_8859_1_control_byte_does_not_end_a_line(tmp_path, format):
    """The characters 0x85, as in the published TREC files, and U+2028 are part of the sentence, not line ends."""
    latin = FILES[format].replace("fine", "f\x85é").encode("iso-8859-1")
    texts = read(tmp_path / f"a.{format}", latin, encoding="iso-8859-1")
    assert [text.text for text in texts] == ["a f\x85é film", "so bad"]
    texts = read(tmp_path / f"a.{format}", FILES[format].replace("fine", "f\u2028e"))
    assert [text.text for text in texts] == ["a f\u2028e film", "so bad"]


def test_label_ends_at_the_first_white_space(tmp_path):
    """In txt, spaces or tabs end the label, the rest of the line is unchanged, and the text may be empty."""
    assert read(tmp_path / "a.txt", 'pos\ta  b\n1   c,"d\nneg\nLOC:city e') == [
        LabelledText("a  b", "pos", 1),
        LabelledText('c,"d', "1", 2),
        LabelledText("", "neg", 3),
        LabelledText("e", "LOC:city", 4),
    ]


def test_quoted_text_may_contain_any_character(tmp_path):
    """Commas, line ends and doubled quotes within quotes are text, and the next line numbers are correct."""
    content = 'label,text\npos,"one, two\nthree\r\n\n""four"""\nneg,five\npos,\n'
    assert read(tmp_path / "a.csv", content) == [
        LabelledText('one, two\nthree\r\n\n"four"', "pos", 2),
        LabelledText("five", "neg", 6),
        LabelledText("", "pos", 7),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "id,sentence,class\n1,so bad, 0 \n"),
        ("a.tsv", "class\tid\tsentence\n0\t1\tso bad\n"),
        ("a.jsonl", '{"sentence": "so bad", "class": 0, "id": [1]}\n'),
    ],
)
def test_columns_are_found_by_name(tmp_path, name, content):
    """Other columns are ignored, and 0 is a label, not a missing one."""
    [text] = read(tmp_path / name, content, text_column="sentence", label_column="class")
    assert (text.text, text.label) == ("so bad", "0")


def test_json_values_may_be_numbers(tmp_path):
    """Numbers become texts and labels as they are written, and blank lines are skipped."""
    content = '{"text": "a", "label": 10}\n\n{"text": 7, "label": -1}\n{"text": "", "label": "x"}\n'
    assert read(tmp_path / "a.jsonl", content) == [
        LabelledText("a", "10", 1),
        LabelledText("7", "-1", 3),
        LabelledText("", "x", 4),
    ]


written = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r") | st.sampled_from("\n\x85\",\t' ")),
        st.sampled_from(["pos", "neg", "10"]),
    ),
    min_size=1,
    max_size=5,
)


@given(records=written, delimiter=st.sampled_from(",\t"))
def test_tables_written_by_python_are_read_back(tmp_path_factory, records, delimiter):
    """Every character that `csv.writer` wrote is read back, and each record has the number of its first line.

    In tsv, quotation marks are part of the text, because sentences in quotation marks are common there.
    """
    if delimiter == "\t":
        records = [(re.sub(r"[\t\n]", " ", text), label) for text, label in records]
        how: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE, "quotechar": None}
    else:
        how = {"delimiter": ","}
    file = io.StringIO()
    csv.writer(file, **how).writerows([("text", "label"), *records])
    expected, line = [], 2
    for text, label in records:
        expected.append(LabelledText(text, label, line))
        line += 1 + text.count("\n")
    path = tmp_path_factory.mktemp("written") / "a.csv"
    assert read(path, file.getvalue(), "csv" if delimiter == "," else "tsv") == expected


@given(records=written, ascii_only=st.booleans())
def test_json_lines_written_by_python_are_read_back(tmp_path_factory, records, ascii_only):
    """Every character that `json.dumps` wrote is read back, with one record per line."""
    content = "".join(json.dumps({"text": a, "label": b}, ensure_ascii=ascii_only) + "\n" for a, b in records)
    path = tmp_path_factory.mktemp("written") / "a.jsonl"
    assert read(path, content) == [
        LabelledText(text, label, line) for line, (text, label) in enumerate(records, start=1)
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["label{}text", "id{}text{}label", '"text"{}"label"{}"a,b;c\td"'])
def test_delimiter_of_csv_is_recognised_from_the_header(tmp_path, delimiter, header):
    """The delimiter is the one that separates both names in the header; the other two may occur in every text."""
    names = header.replace("{}", delimiter)
    cells = {"text": '"fine, film; good\t1,2;3"', "label": "pos", "id": "7"}
    row = delimiter.join(cells.get(name, "x") for name in re.findall(r"\w+", header.split('"a,')[0]))
    row += delimiter + "x" if "a,b" in header else ""
    [text] = read(tmp_path / "a.csv", f"{names}\n{row}\n")
    assert text == LabelledText("fine, film; good\t1,2;3", "pos", 2)


def test_delimiter_is_recognised_by_the_names_not_by_its_frequency(tmp_path):
    """Another character that is more frequent in header and text is not taken for the delimiter."""
    columns = {"text_column": "a,b,c,d", "label_column": "y"}
    assert read(tmp_path / "a.csv", "a,b,c,d;y\none, two, three, four;pos\n", **columns) == [
        LabelledText("one, two, three, four", "pos", 2)
    ]


@pytest.mark.parametrize(
    ("format", "delimiter", "character"),
    [
        ("csv", "semicolon", ";"),
        ("csv", ";", ";"),
        ("csv", "|", "|"),
        ("csv", "tab", "\t"),
        ("tsv", "comma", ","),
        ("tsv", None, "\t"),
    ],
)
def test_delimiter_can_be_set(tmp_path, format, delimiter, character):
    """A character or its name sets the delimiter of csv and tsv."""
    content = "text,label\na fine film,pos\n".replace(",", character)
    assert read(tmp_path / "a.data", content, format, delimiter=delimiter) == [LabelledText("a fine film", "pos", 2)]


def test_delimiter_that_is_set_is_not_guessed(tmp_path):
    """With `delimiter`, the header must have both names with this delimiter, and the message shows it."""
    message = f"{tmp_path / 'a.csv'}:1: no column 'text': the header has 'text,label'; set data.text_column and "
    with pytest.raises(ValueError, match=starts_with(message + "data.label_column, or data.delimiter (now ';')")):
        read(tmp_path / "a.csv", FILES["csv"], delimiter=";")


def test_missing_column_shows_the_header_with_the_likely_delimiter(tmp_path):
    """Of the three delimiters, the message uses the one that finds a name, or else the most columns."""
    for content, header in (
        ("sentence;label,x\na;1\n", "no column 'text': the header has 'sentence;label', 'x'"),
        ("sentence;label;x,y\na;1\n", "no column 'text': the header has 'sentence', 'label', 'x,y'"),
        ("a;b;c,d\n1;2;3\n", "no column 'text': the header has 'a', 'b', 'c,d'"),
    ):
        with pytest.raises(ValueError, match=starts_with(f"{tmp_path / 'a.csv'}:1: {header};")):
            read(tmp_path / "a.csv", content)


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
        ":3: 3 columns, but the header has 2: is there a ',' in the text? In csv, put",
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
    ("a.jsonl", '\n["a", 1]\n', {}, ":2: expected a JSON object with the keys 'text' and 'label'"),
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
def test_unreadable_line_is_named(tmp_path, name, content, how, message):
    """The message starts with file and line, also after a record of two lines, and says what is wrong."""
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
    """A table with a header only is an error, not an empty data set."""
    with pytest.raises(ValueError, match=starts_with(f"{tmp_path / 'a.csv'}: the file holds no sentence")):
        read(tmp_path / "a.csv", content)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.csv.gz"])
def test_unknown_extension_names_the_formats(tmp_path, name):
    """The error for another kind of file names the setting `data.format` and its values."""
    message = f"{tmp_path / name}: unknown file extension {Path(name).suffix[1:]!r}: set data.format to one of "
    with pytest.raises(ValueError, match=starts_with(message + "txt, csv, tsv, jsonl") + "$"):
        read(tmp_path / name, FILES["csv"])


def test_missing_file_error_names_the_working_directory(tmp_path, monkeypatch):
    """A user sees a wrong working directory, the usual cause, in the message."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=starts_with(f"my/a.csv: no such file (paths are relative to {tmp_path})")):
        read_file("my/a.csv", FileOptions())


def test_directory_is_not_a_file(tmp_path):
    """The path of a folder gives an error that says so."""
    with pytest.raises(ValueError, match=starts_with(f"{tmp_path}: cannot be read: Is a directory")):
        read_file(str(tmp_path), FileOptions("txt"))


@pytest.mark.parametrize("encoding", ["utf-9", "hex"])
def test_unknown_encoding_is_named(tmp_path, encoding):
    """A mistyped encoding, or a codec that does not give text, is an error of the setting, not of the file."""
    with pytest.raises(ValueError, match=f"^data.encoding: unknown encoding '{encoding}': expected one such as utf-8"):
        read(tmp_path / "a.txt", FILES["txt"], encoding=encoding)


def test_unknown_format_is_refused():
    """A mistyped format is an error before any file is read."""
    with pytest.raises(ValueError, match=r"^format: expected one of txt, csv, tsv, jsonl, got 'xml'$"):
        FileOptions("xml")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("encoding", None, "the name of an encoding, such as utf-8"),
        ("encoding", 8859, "the name of an encoding, such as utf-8"),
        ("text_column", 1, "the name of the column or key of the text"),
        ("text_column", "", "the name of the column or key of the text"),
        ("label_column", ["label"], "the name of the column or key of the label"),
        ("label_column", "text", "another column than text_column"),
        ("delimiter", "", "comma, semicolon, tab or one character, other than a line end or a double quote"),
        ("delimiter", ", ", "comma, semicolon, tab or one character, other than a line end or a double quote"),
        ("delimiter", '"', "comma, semicolon, tab or one character, other than a line end or a double quote"),
        ("delimiter", 9, "comma, semicolon, tab or one character, other than a line end or a double quote"),
    ],
)
def test_wrong_option_is_named(name, value, allowed):
    """The message gives the option, what is allowed and what came, before any file is read."""
    with pytest.raises(ValueError, match=starts_with(f"{name}: expected {allowed}, got {value!r}") + "$"):
        FileOptions(**{name: value})


@pytest.mark.parametrize(
    ("format", "content", "texts", "lines"),
    [
        ("txt", "pos good\n\n bad\nneg bad", ["good", "bad"], [2, 3]),
        ("csv", 'text,label\ngood,pos\n"a "b,pos\nbad,\nbad,neg', ["good", "bad"], [3, 4]),
        ("tsv", "text\tlabel\ngood\tpos\na\tb\tc\nbad\tneg", ["good", "bad"], [3]),
        ("jsonl", '{"text": "good", "label": 1}\n{\n[]\n{"text": "bad", "label": 0}', ["good", "bad"], [2, 3]),
        ("txt", b"pos good\nneg b\xe9d\nneg bad", ["good", "bad"], [2]),
    ],
)
def test_lines_that_cannot_be_read_can_be_left_out(tmp_path, format, content, texts, lines):
    """Each is told with its number, and the lines after it are read."""
    path = tmp_path / f"mine.{format}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = []
    assert [text.text for text in read_file(str(path), FileOptions(), told.append)] == texts
    assert [int(message.removeprefix(f"{path}:").split(":")[0]) for message in told] == lines
