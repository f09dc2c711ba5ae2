"""Data sets that `datasets.load_dataset` reads: local files through the same call, and what the hub may say."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest
from conftest import CONF, Compose
from hydra.utils import instantiate

from textpool.data import HuggingFaceData, Sentence, TextFileData

ROWS = [{"text": f"A word{number}, here!", "label": "ab"[number % 2]} for number in range(40)]


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of the network, and nothing is written outside of the test's folder."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


def save(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def ready(**options: Any) -> HuggingFaceData:
    data = HuggingFaceData(**options)
    data.setup()
    return data


def test_local_files_are_read_as_the_hub_is(tmp_path: Path) -> None:
    """Splits, slices of splits and their own shares; the sentences are those that the reader of files finds."""
    files = {"train": save(tmp_path / "a.jsonl", ROWS), "test": save(tmp_path / "b.jsonl", ROWS[:6])}
    data = ready(name="json", data_files=files, train="train[:20]", val="train[20:]")
    assert [len(split) for split in data.splits] == [20, 20, 6]
    assert data.splits.test[0] == Sentence(["a", "word0", ",", "here", "!"], "a")
    assert data.texts("test")[0] == "A word0, here!"
    split = ready(name="json", data_files={"train": files["train"]}, test=None)
    plain = TextFileData(files["train"])
    plain.setup()
    assert split.splits == plain.splits
    folds = [ready(name="json", data_files={"train": files["train"]}, test=None, folds=4, fold=n) for n in range(4)]
    assert sum(len(data.splits.test) for data in folds) == 40


def test_labels_have_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published data sets store the number of a class and its name apart."""
    labels = datasets.ClassLabel(names=["world", "sports"])
    rows = datasets.Dataset.from_dict({"text": [f"w{n}" for n in range(40)], "label": [0, 1] * 20}).cast_column(
        "label", labels
    )
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    assert ready(name="news").labels == ["sports", "world"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"text_column": "sentence"},
            "data.text_column: expected a column of json[train]: text, label; got 'sentence'",
        ),
        ({"label_column": "class"}, "data.label_column: expected a column of json[train]: text, label; got 'class'"),
        ({"train": "validation"}, "data.name: json[validation] cannot be loaded: ValueError: "),
        ({"name": "nobody/no_data", "data_files": None}, "data.name: nobody/no_data[train] cannot be loaded: "),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = save(tmp_path / "a.jsonl", ROWS)
    with pytest.raises(ValueError, match="^" + re.escape(message)) as caught:
        ready(**{"name": "json", "data_files": {"train": path}, "test": None} | changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", [{"text": "z", "label": -1}, {"text": "z", "label": None}, {"text": None, "label": 1}])
def test_a_sentence_without_a_label_is_named(tmp_path: Path, row: dict[str, Any]) -> None:
    rows = [{"text": str(number), "label": number % 2} for number in range(20)]
    path = save(tmp_path / "a.jsonl", [*rows, row])
    with pytest.raises(ValueError, match=r"^json\[train\]: row 21: expected a text and its label, got '.*' and .*:"):
        ready(name="json", data_files={"train": path}, test=None)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"datasets is not installed: pip install 'textpool\[hf\]'"):
        ready(name="ag_news")


PRESETS = [file.stem for file in sorted(CONF.glob("data/*.yaml")) if "- huggingface" in file.read_text()]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_ask_for_their_data_set(config: Compose, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset asks the hub for one name, and reads the columns that it says."""
    section = config(f"data={name}")["data"]
    rows = datasets.Dataset.from_dict(
        {section["text_column"]: [f"w{n}" for n in range(40)], section["label_column"]: [n % 2 for n in range(40)]}
    )
    asked = []

    def load_dataset(*arguments: Any, split: str, **_: Any) -> datasets.Dataset:
        asked.append((arguments[0], split))
        return rows

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    data = instantiate(section, _convert_="all")
    data.setup()
    assert {asked_name for asked_name, _ in asked} == {section["name"]}
    assert {split for _, split in asked} == {section[split] for split in ("train", "val", "test")} - {None}
    assert len(data.splits.train) > 30
