"""Labelled sentences from the Hugging Face Hub, or from anything else that `datasets.load_dataset` reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from textpool.data.labelled import LabelledTextData
from textpool.data.reading import LabelledText


class HuggingFaceData(LabelledTextData):
    """Labelled sentences that `datasets.load_dataset` reads: published data sets by name, or files of one's own.

    Labels of the type `ClassLabel` get their names. A sentence without a label (None or -1), as in the test split of a
    competition, is an error.

    Args:
        name: of the data set, such as `ag_news`; or of a format, such as `csv`, with `data_files`.
        configuration: name of the configuration of the data set; None: the default one.
        train: split of the training sentences, which may be a slice such as `train[:1000]`.
        test: split of the test sentences; None: `test_fraction` of the training split is held out.
        val: split of the validation sentences; None: `val_fraction` of the training split is held out.
        data_files: split → path of a file, for a format as the name.
        revision: version of the data set, a tag or a commit; None: the newest one.
        text_column: name of the column that holds the sentence.
        label_column: name of the column that holds the label.
        **options: see `LabelledTextData`.

    Raises:
        ValueError: from `setup`, if the data set cannot be read or has no such column.
    """

    a_source = "a split"

    def __init__(
        self,
        name: str,
        configuration: str | None = None,
        train: str = "train",
        test: str | None = "test",
        val: str | None = None,
        data_files: Mapping[str, str] | None = None,
        revision: str | None = None,
        text_column: str = "text",
        label_column: str = "label",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.dataset, self.configuration, self.revision = name, configuration, revision
        self.sources = {"train": train, "val": val, "test": test}
        self.data_files = None if data_files is None else dict(data_files)
        self.text_column, self.label_column = text_column, label_column

    def read_sources(self) -> Mapping[str, tuple[str, Sequence[LabelledText]]]:
        given = {split: name for split, name in self.sources.items() if name is not None}
        return {split: (f"{self.dataset}[{name}]", self._read(name)) for split, name in given.items()}

    def _read(self, split: str) -> list[LabelledText]:
        """The labelled texts of a split, with the numbers of their rows, from 1, as lines."""
        place = f"{self.dataset}[{split}]"
        rows = load_split(self.dataset, self.configuration, split, self.data_files, self.revision)
        for setting, column in (("text_column", self.text_column), ("label_column", self.label_column)):
            if column not in rows.column_names:
                columns = ", ".join(rows.column_names)
                raise ValueError(f"data.{setting}: expected a column of {place}: {columns}; got {column!r}")
        name_of = getattr(rows.features[self.label_column], "int2str", str)
        texts = []
        for row, (text, label) in enumerate(zip(rows[self.text_column], rows[self.label_column], strict=True), start=1):
            if not isinstance(text, str) or label is None or label == -1:
                raise ValueError(
                    f"{place}: row {row}: expected a text and its label, got {str(text)[:60]!r} and {label!r}: if this "
                    "split has no labels, data.test=null holds out a share of the training split"
                )
            texts.append(LabelledText(text, name_of(label), row))
        if not texts:
            raise ValueError(f"{place}: expected labelled sentences, got none")
        return texts


def load_split(
    name: str, configuration: str | None, split: str, data_files: Mapping[str, str] | None, revision: str | None
) -> Any:
    """One split of a data set, as `datasets.Dataset`.

    Raises:
        ValueError: in one line, if it cannot be had.
    """
    try:
        import datasets
    except ImportError as error:
        raise ValueError("datasets is not installed: pip install 'textpool[hf]', in a clone '.[hf]'") from error
    datasets.disable_progress_bars()  # for a small file they are longer than the output of a sweep
    try:
        return datasets.load_dataset(name, configuration, split=split, data_files=data_files, revision=revision)
    except Exception as error:  # of the hub, of the network, of a file: there is no common class
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
        raise ValueError(f"data.name: {name}[{split}] cannot be loaded: {reason[:300]}") from error
