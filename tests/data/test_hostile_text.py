"""Files and patterns that no honest user has: refused in one line, in bounded time."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from textpool.data import TextFileData
from textpool.data import vocabulary as vocabulary_module
from textpool.data.reading import FileOptions, LabelledText, read_file
from textpool.data.vectors import read_vectors
from textpool.data.vocabulary import Tokenizer


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    """A pipe would wait for ever, and /dev/zero has no end."""
    os.mkfifo(tmp_path / "pipe.txt")
    for path in (tmp_path / "pipe.txt", Path("/dev/zero")):
        with pytest.raises(ValueError, match="expected a file, got a device or a pipe"):
            read_file(str(path), FileOptions("txt"))
        with pytest.raises(ValueError, match=r"^vectors: .* expected a file"):
            read_vectors(path, ["a"])


@pytest.mark.parametrize("format", ["txt", "jsonl"])
def test_lines_that_end_with_a_carriage_return_alone(tmp_path: Path, format: str) -> None:
    """They would be one line; the message names them."""
    path = tmp_path / f"a.{format}"
    path.write_bytes(b"a good film\rb bad film\r")
    with pytest.raises(ValueError, match=r"its lines end with a carriage return \(CR\) alone: expected LF"):
        read_file(str(path), FileOptions())


def test_half_of_a_surrogate_pair(tmp_path: Path) -> None:
    """JSON allows it in a text, UTF-8 does not."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": "x"}\n{"text": "b \\ud800", "label": "x"}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl:2: half of a surrogate pair, '\\ud800', which is no character"):
        read_file(str(path), FileOptions())
    path.write_text('{"text": "\\ud83d\\ude00", "label": "x"}\n')
    assert read_file(str(path), FileOptions()) == [LabelledText("\U0001f600", "x", 1)]


def test_messages_are_cut(tmp_path: Path) -> None:
    """A header of 100,000 columns, a label of a megabyte, a deeply nested line."""
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"column{number}" for number in range(100_000)) + "\n")
    with pytest.raises(ValueError, match="no column 'text'") as caught:
        read_file(str(path), FileOptions())
    assert len(str(caught.value)) < 1100
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        read_file(str(path), FileOptions("jsonl"))


def test_tokens_that_occur_nowhere(tmp_path: Path) -> None:
    """All sentences would be empty."""
    path = tmp_path / "train.txt"
    path.write_text("".join(f"{label} word\n" for label in "abab"))
    with pytest.raises(ValueError, match=r"data\.tokens: expected what occurs in .*train\.txt, but finds no word"):
        TextFileData(str(path), tokens="[0-9]+").setup()


def test_a_pattern_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, and what is found later in other texts is not changed."""
    monkeypatch.setattr(vocabulary_module, "MOST_SECONDS", 0.2)
    tokenize = Tokenizer(r"(a+)+b")
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"tokens: the regular expression .* had not found the words of a text of 60"):
        tokenize("a" * 60)
    assert time.monotonic() - start < 5
    assert tokenize("aab ab") == ["aab", "ab"]


def read(path: Path, content: bytes, format: str) -> None:
    path.write_bytes(content)
    message, found = "", []
    try:
        found = read_file(str(path), FileOptions(format))
    except ValueError as error:
        message = str(error)
    assert found or str(path) in message
    assert len(message) < 1200
    assert "".join(text.text + text.label for text in found).encode() is not None


@pytest.mark.parametrize("format", ["txt", "csv", "tsv", "jsonl"])
@given(content=st.binary(max_size=80) | st.text(st.sampled_from('text,label\n\r"\t{}[]:a1é\ufeff'), max_size=60))
@example("\r\t")
@settings(max_examples=60)
def test_fuzzed_files_of_text(tmp_path_factory: pytest.TempPathFactory, format: str, content: bytes | str) -> None:
    """Any bytes: read, or refused with the name of the file."""
    encoded = content.encode() if isinstance(content, str) else content
    read(tmp_path_factory.getbasetemp() / f"fuzzed.{format}", encoded, format)


@pytest.mark.parametrize("name", ["fuzzed.vec", "fuzzed.bin", "fuzzed.vec.gz"])
@given(content=st.binary(max_size=80) | st.text(st.sampled_from("a 1.5\n-e9"), max_size=60).map(str.encode))
@settings(max_examples=60)
def test_fuzzed_files_of_vectors(tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes) -> None:
    """Likewise."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    message, found = "", None
    try:
        found = read_vectors(path, ["a", "1.5"])
    except ValueError as error:
        message = str(error)
    assert found is not None or message.startswith("vectors: ")
    assert found is None or all(len(vector) == found.dimensions for vector in found.found.values())
