"""The files of a run: written completely or not at all, and read with errors that name the file."""

import csv
import json
import os
from pathlib import Path

import pytest

from textpool.record import (
    Result,
    is_fraction,
    read_predictions,
    remove_drafts,
    sentences_hash,
    write_atomic,
    write_predictions,
)


def result(run: str = "max", status: str = "ok") -> Result:
    started = "2026-01-01T00:00:00.000+00:00"
    return Result(run, status, "max", 1, started, 1.5, {"pooling": "max"}, metrics={"test/acc": 0.5})


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """All fields come back, and no draft of the file is left."""
    result().write(tmp_path)
    assert Result.read(tmp_path) == result()
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_a_result_from_before_a_field_was_added_is_read(tmp_path: Path) -> None:
    """What was not measured then is not known: older studies stay readable."""
    result().write(tmp_path)
    content = json.loads((tmp_path / "result.json").read_text())
    del content["shortcut_accuracy"], content["shortcut"]
    (tmp_path / "result.json").write_text(json.dumps(content))
    assert Result.read(tmp_path) == result()
    assert (result().shortcut_accuracy, result().shortcut) == (None, None)


def test_metrics_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    """JSON has no NaN: such a file could not be read by other programs."""
    found = result()
    found.metrics = {"test/acc": 0.5, "test/loss": float("nan"), "val/loss": float("inf")}
    found.write(tmp_path)
    assert Result.read(tmp_path).metrics == {"test/acc": 0.5}


@pytest.mark.parametrize("text", ['{"run": "max", "stat', "", "[]", '{"surprise": 1}', "\x00\x01", "null", "3"])
def test_a_damaged_result_is_named(tmp_path: Path, text: str) -> None:
    """A file that was cut, or that is something else, gives one error that names it."""
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ValueError, match=r"result\.json: not the result of a run"):
        Result.read(tmp_path)


def test_a_result_of_an_earlier_version_says_what_to_do(tmp_path: Path) -> None:
    """Results without factors cannot be grouped: the error names the way out."""
    (tmp_path / "result.json").write_text('{"run": "max", "status": "ok", "pooling": "max"}')
    with pytest.raises(ValueError, match=r"result\.json: .*without factors: .*overwrite=true"):
        Result.read(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full in the middle of writing must not cost the file that was there."""
    path = tmp_path / "result.json"
    path.write_text("old")

    def full(self: Path, text: str, **options: str) -> int:
        self.write_bytes(text.encode()[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


def test_predictions_by_hand(tmp_path: Path) -> None:
    """Index, names of the classes, and the probability of each; names with commas are quoted."""
    write_predictions(tmp_path / "predictions.csv", ["no", "yes, sir"], [1, 0], [[0.25, 0.75], [0.5, 0.5]])
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["index", "label", "predicted", "p(no)", "p(yes, sir)"],
        ["0", "yes, sir", "yes, sir", "0.25", "0.75"],
        ["1", "no", "no", "0.5", "0.5"],
    ]
    assert read_predictions(tmp_path) == (["yes, sir", "no"], [True, True])


def test_predictions_hold_the_texts(tmp_path: Path) -> None:
    """The text is the last column, whatever characters it has; a reader of the other columns is not affected.

    Very long texts are cut: `csv.DictReader` would refuse the whole file. Half of a surrogate pair, which JSON allows,
    has no UTF-8 code.
    """
    texts = ['so "bad",\nreally', "b" * 200_000, "caf\u00e9 \ud800"]
    write_predictions(tmp_path / "predictions.csv", ["no", "yes"], [1, 0, 0], [[0.25, 0.75], [0.5, 0.5], [0, 1]], texts)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["index", "label", "predicted", "p(no)", "p(yes)", "text"]
    assert [row["text"] for row in rows] == [texts[0], "b" * 100_000, "caf\u00e9 ?"]
    assert read_predictions(tmp_path) == (["yes", "no", "no"], [True, True, False])


def test_predictions_of_many_classes(tmp_path: Path) -> None:
    """Only the ten likeliest classes are listed, of equals the earlier ones; the label's rank counts in this order.

    A column for each of 10,000 classes would take 100 kB a sentence. The label and the prediction are read as ever.
    """
    labels = [f"c{number}" for number in range(101)]
    row = [0.0] * 101
    row[7], row[3], row[100] = 0.5, 0.25, 0.25
    path = tmp_path / "predictions.csv"
    write_predictions(path, labels, [100, 7, 0], iter([row, row, row]), ["x", "y", "z"])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    listed = [f"{what} {place}" for place in range(1, 11) for what in ("class", "p")]
    assert rows[0] == ["index", "label", "predicted", "p of label", "rank of label", *listed, "text"]
    likeliest = ["c7", "0.5", "c3", "0.25", "c100", "0.25", "c0", "0", "c1", "0"]
    assert rows[1][:15] == ["0", "c100", "c7", "0.25", "3", *likeliest]
    assert [row[1:5] for row in rows[2:]] == [["c7", "c7", "0.5", "1"], ["c0", "c7", "0", "4"]]
    assert {len(row) for row in rows} == {26}
    assert read_predictions(tmp_path) == (["c100", "c7", "c0"], [False, True, False])
    write_predictions(path, labels[:100], [7], [row[:100]])
    assert path.read_text().splitlines()[0].endswith(",p(c99)")


@pytest.mark.parametrize("content", [None, b"", b"index,label\n0,a\n", b"\xff\xfe\x00"])
def test_predictions_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A missing or damaged file is no reason for a comparison to fail."""
    if content is not None:
        (tmp_path / "predictions.csv").write_bytes(content)
    assert read_predictions(tmp_path) is None


def test_direction_of_metrics() -> None:
    """Losses are better when lower and no fractions; all other metrics are fractions."""
    assert [is_fraction(name) for name in ("test/acc", "test/f1", "test/auroc", "val/loss")] == [
        True,
        True,
        True,
        False,
    ]


def test_the_hash_of_sentences_tells_order_labels_and_texts_apart() -> None:
    """Runs with the same test sentences are paired by sentence; any other test split has another hash."""
    hashes = {
        sentences_hash(["a", "b"], ["x", "y"]),
        sentences_hash(["b", "a"], ["y", "x"]),
        sentences_hash(["a", "b"], ["y", "x"]),
        sentences_hash(["a b"], ["x"]),
        sentences_hash(["caf\u00e9 \ud800"], ["x"]),
    }
    assert len(hashes) == 5
    assert sentences_hash(iter(["a", "b"]), iter(["x", "y"])) in hashes


def test_a_reader_keeps_the_file_that_it_has_opened(tmp_path: Path) -> None:
    """A file is replaced whole, by another one: nobody reads a part of the new content."""
    path = tmp_path / "a.txt"
    write_atomic(path, "old content")
    with path.open(encoding="utf-8") as opened:
        write_atomic(path, "new")
        assert opened.read() == "old content"
    assert path.read_text(encoding="utf-8") == "new"


def test_drafts_of_killed_writings_are_removed(tmp_path: Path) -> None:
    """Those of processes that run, new ones and other hidden files stay."""
    names = [".overrides.yaml.999999999", f".comparison.md.{os.getpid()}", ".comparison.md.999999999", ".lock", ".a.b"]
    for name in names:
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / ".new.csv.999999999").write_text("")
    remove_drafts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:2], *names[3:], ".new.csv.999999999"}
    remove_drafts(tmp_path, age=0)
    assert {path.name for path in tmp_path.iterdir()} == {*names[1:2], *names[3:]}
