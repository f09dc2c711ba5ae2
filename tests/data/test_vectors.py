"""Pretrained word vectors in the formats in which they are published, on small files."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from textpool.data.vectors import read_vectors

WORDS = {"great": [0.5, -1.0, 2.0], "film": [1.0, 2.0, 3.0], "a b": [4.0, 5.0, 6.0], "café": [7.0, 8.0, 9.0]}
LINES = [f"{word} {' '.join(map(str, numbers))}\n" for word, numbers in WORDS.items()]


def binary(newline: bytes = b"") -> bytes:
    """word2vec's own format; some programs write a line end after each vector."""
    entries = [
        word.encode() + b" " + np.array(numbers, "<f4").tobytes() for word, numbers in WORDS.items() if word != "a b"
    ]
    return f"{len(entries)} 3\n".encode() + b"".join(entry + newline for entry in entries)


FILES = {
    "glove.txt": "".join(LINES).encode(),
    "glove.txt.gz": gzip.compress("".join(LINES).encode(), mtime=0),
    "word2vec.vec": ("4 3\n" + "".join(LINES)).encode(),
    "word2vec.bin": binary(),
    "word2vec.bin.gz": gzip.compress(binary(b"\n"), mtime=0),
}


@pytest.mark.parametrize("name", FILES)
def test_formats(tmp_path: Path, name: str) -> None:
    """Only the words that are asked for are kept; a capitalised one takes the vector of its lower-case form."""
    (tmp_path / name).write_bytes(FILES[name])
    vectors = read_vectors(tmp_path / name, ["film", "Great", "café", "unknown"])
    assert {word: vector.tolist() for word, vector in vectors.found.items()} == {
        "film": WORDS["film"],
        "Great": WORDS["great"],
        "café": WORDS["café"],
    }
    assert (vectors.dimensions, vectors.n_read) == (3, 3 if "bin" in name else 4)


def test_a_word_with_a_space(tmp_path: Path) -> None:
    """GloVe has such words; their first part alone is another word."""
    (tmp_path / "v.txt").write_text("".join(LINES), encoding="utf-8")
    assert set(read_vectors(tmp_path / "v.txt", ["a", "film", "a b"]).found) == {"film", "a b"}
    assert set(read_vectors(tmp_path / "v.txt", ["a", "film"]).found) == {"film"}


def test_the_first_of_equal_words_counts(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("x 1\nx 2\n")
    assert read_vectors(tmp_path / "v.txt", ["x"]).found["x"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.txt", b"", "expected word vectors, got none"),
        ("v.txt", b"other 1 2\n", "none of the words of the training split is in it"),
        ("v.txt", b"other 1 2\nfilm 1\n", ":2: expected a word and 2 numbers, got b'film 1"),
        ("v.txt", b"film 1 x\n", ":1: expected a word and 2 numbers"),
        ("v.txt", b"film 1 nan\n", ":1: expected a word and 2 numbers"),
        ("v.bin", b"film 1 2\n", "expected a first line with the numbers of words and dimensions"),
        ("v.bin", binary()[:-3], "it ends in word 3 of 3"),
        ("v.txt.gz", b"no gzip", "cannot be read"),
        ("v.txt.gz", gzip.compress(b"film 1 2\n" * 99, mtime=0)[:-9], "cannot be read"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^vectors: {re.escape(str(tmp_path / name))}.*{re.escape(message)}"):
        read_vectors(tmp_path / name, ["film"])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^vectors: .*: cannot be read: No such file or directory"):
        read_vectors(tmp_path / "none.txt", ["film"])
