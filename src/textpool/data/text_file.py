"""A user's own labelled sentences, from files."""

from collections.abc import Mapping, Sequence
from typing import Any

from textpool.data.labelled import LabelledTextData
from textpool.data.reading import FileOptions, LabelledText, read_file


class TextFileData(LabelledTextData):
    r"""Labelled sentences from text, CSV, TSV or JSON-lines files.

    Args:
        train: file of the training sentences.
        test: file of the test sentences; None: `test_fraction` of the training file is held out.
        val: file of the validation sentences; None: `val_fraction` of the training file is held out.
        format: `txt`, `csv`, `tsv` or `jsonl`, for all files; None: by the file extension.
        encoding: encoding of all files.
        text_column: name of the column, or JSON key, that holds the sentence.
        label_column: name of the column, or JSON key, that holds the label.
        delimiter: character between two columns; None: recognised from the header, see `FileOptions`.
        **options: see `LabelledTextData`.
    """

    def __init__(
        self,
        train: str,
        test: str | None = None,
        val: str | None = None,
        format: str | None = None,
        encoding: str = "utf-8",
        text_column: str = "text",
        label_column: str = "label",
        delimiter: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        for name, path in (("train", train), ("test", test), ("val", val)):
            if not isinstance(path, str) and (path is not None or name == "train"):
                raise ValueError(f"{name}: expected the path of a file of labelled sentences, got {path!r}")
        self.files = {"train": train, "val": val, "test": test}
        self.file_options = FileOptions(format, encoding, text_column, label_column, delimiter)

    def read_sources(self) -> Mapping[str, tuple[str, Sequence[LabelledText]]]:
        given = {split: path for split, path in self.files.items() if path is not None}
        return {split: (path, read_file(path, self.file_options)) for split, path in given.items()}
