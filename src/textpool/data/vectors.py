"""Pretrained word vectors: GloVe and word2vec as text, also compressed, and word2vec as binary."""

import gzip
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from textpool.data.reading import regular_file

LONGEST = 2**20  # bytes of a line or of a word; more means that the file is of another kind
FLOAT = np.dtype("<f4")  # of word2vec's binary files


class Vectors(NamedTuple):
    """The vectors of some words of a file.

    Attributes:
        found: word → vector, (dimensions,).
        dimensions: of every vector.
        n_read: number of words in the file.
    """

    found: dict[str, NDArray[np.float32]]
    dimensions: int
    n_read: int


def read_vectors(path: str | Path, words: Collection[str]) -> Vectors:
    """The vectors of some words, read one after the other: only those that are asked for are kept in memory.

    Text has on each line a word and its numbers, separated by single spaces, and may begin with a line of two integers
    (word2vec). A name that ends in `.bin` means word2vec's binary format. Both may be compressed (`.gz`). A word that
    the file does not have gets the vector of its lower-case form. Of a word that occurs twice the first vector counts.

    Args:
        path: of the file.
        words: the words to look for.

    Raises:
        ValueError: if it is not such a file; the message names the line or the word.
    """
    path = Path(path)
    known = {form.encode(): form for word in words for form in (word, word.lower())}
    found: dict[str, NDArray[np.float32]] = {}
    read = _read_binary if path.name.removesuffix(".gz").endswith(".bin") else _read_text
    n_read = 0
    try:
        regular_file(path)
    except ValueError as error:
        raise ValueError(f"vectors: {error}") from error
    try:
        with cast(IO[bytes], gzip.open(path) if path.suffix == ".gz" else path.open("rb")) as file:
            for entry in read(file, path, known):
                n_read += 1
                if entry is not None:
                    found.setdefault(*entry)
    except (OSError, EOFError) as error:
        raise ValueError(f"vectors: {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    sizes = {len(vector) for vector in found.values()}
    if len(sizes) != 1:
        what = "none of the words of the training split is in it" if n_read else "expected word vectors, got none"
        raise ValueError(f"vectors: {path}: {what}")
    own = {word: found.get(word, found.get(word.lower())) for word in words}
    return Vectors({word: vector for word, vector in own.items() if vector is not None}, sizes.pop(), n_read)


Entry = tuple[str, NDArray[np.float32]] | None  # None: a word that was not asked for


def _read_text(file: IO[bytes], path: Path, known: dict[bytes, str]) -> Iterator[Entry]:
    dimensions: int | None = None
    for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), start=1):
        stripped = line.rstrip()
        if number == 1 and len(header := stripped.split()) == 2 and all(part.isdigit() for part in header):
            dimensions = int(header[1])
            continue
        if dimensions is None:
            dimensions = stripped.count(b" ")
        first = stripped.partition(b" ")[0]
        if first not in known:
            yield None
            continue
        word, *numbers = stripped.rsplit(b" ", dimensions)  # a word of GloVe may hold a space
        try:
            vector = np.array(numbers, dtype=np.float32)
            if len(vector) != dimensions or not dimensions or not np.isfinite(vector).all():
                raise ValueError
        except ValueError as error:
            raise ValueError(
                f"vectors: {path}:{number}: expected a word and {dimensions} numbers, got {line[:60]!r}"
            ) from error
        yield (known[word], vector) if word in known else None


def _read_binary(file: IO[bytes], path: Path, known: dict[bytes, str]) -> Iterator[Entry]:
    header = file.readline(LONGEST).split()
    if len(header) != 2 or not all(part.isdigit() for part in header) or not int(header[1]):
        raise ValueError(f"vectors: {path}: expected a first line with the numbers of words and dimensions")
    n_words, dimensions = map(int, header)
    size = dimensions * FLOAT.itemsize
    for number in range(1, n_words + 1):
        word = b"".join(iter(lambda: file.read(1).replace(b" ", b""), b"")).lstrip(b"\n")
        data = file.read(size)
        if len(data) != size:
            raise ValueError(f"vectors: {path}: it ends in word {number:,} of {n_words:,}")
        yield (known[word], np.frombuffer(data, FLOAT).astype(np.float32)) if word in known else None
