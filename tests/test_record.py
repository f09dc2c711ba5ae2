"""What is written of a run, and what its folder may hold before."""

import csv
from pathlib import Path

import pytest
import yaml

from textpool.study.record import (
    Result,
    RunExistsError,
    claim_folder,
    config_hash,
    differences,
    finished_before,
    write_atomic,
    write_predictions,
)


def result(run: str = "max", status: str = "ok") -> Result:
    return Result(run, status, "max", 1, "hash", "2026-01-01T00:00:00.000+00:00", 1.5, metrics={"test/acc": 0.5})


def test_a_result_comes_back_as_written(tmp_path: Path) -> None:
    """And leaves no draft behind."""
    result().write(tmp_path)
    assert Result.read(tmp_path) == result()
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("text", ['{"run": "max", "stat', "", "[]", '{"run": "max"}', '{"surprise": 1}', "\x00\x01"])
def test_a_broken_result_is_named(tmp_path: Path, text: str) -> None:
    """A file cut short, or of something else, gives one error that names it."""
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ValueError, match=r"result\.json: not the result of a run"):
        Result.read(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk in the middle of writing must not cost the file that was there."""
    path = tmp_path / "result.json"
    path.write_text("old")

    def full(self: Path, text: str, encoding: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"


def test_predictions_by_hand(tmp_path: Path) -> None:
    """Index, names of the classes, and the probability of each; commas in names are quoted."""
    path = tmp_path / "predictions.csv"
    write_predictions(path, ["no", "yes, sir"], [1, 0], [[0.25, 0.75], [0.5, 0.5]])
    with path.open() as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["index", "label", "predicted", "p(no)", "p(yes, sir)"],
        ["0", "yes, sir", "yes, sir", "0.25", "0.75"],
        ["1", "no", "no", "0.5", "0.5"],
    ]


def test_hash_of_what_decides() -> None:
    """The same for configurations that mean the same; the order of keys and the place of the run do not count."""
    config = {"seed": 1, "pooling": {"k": 3}, "k": 3, "study": "a", "overwrite": False}
    assert config_hash(config) == config_hash({"overwrite": True, "study": "b", "pooling": {"k": 3}, "seed": 1, "k": 5})
    assert config_hash(config) != config_hash({**config, "seed": 2})
    assert config_hash(config) != config_hash({**config, "pooling": {"k": 5}})


def test_differences_are_named() -> None:
    """By the name that an override would take."""
    before, after = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 5}, "e": {"f": 1}}
    assert differences(before, after) == ["a.c: 2, now 5", "d: 3, now None", "e: None, now {'f': 1}"]


def leave(folder: Path, config: dict[str, object], status: str | None) -> None:
    """Make a folder look like one in which a run was."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for name in ("events.out.tfevents.1", "predictions.csv", "checkpoints/last.ckpt", "notes.txt"):
        (folder / name).write_text(name)
    if status:
        result(status=status).write(folder)


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    """With the configuration in it, and what the command said."""
    folder = tmp_path / "a" / "b"
    assert finished_before(folder, {"seed": 1}) is None
    claim_folder(folder, {"seed": 1}, ["seed=1"])
    assert yaml.safe_load((folder / "config.yaml").read_text()) == {"seed": 1}
    assert yaml.safe_load((folder / "overrides.yaml").read_text()) == ["seed=1"]


def test_a_finished_run_is_given_back(tmp_path: Path) -> None:
    """Wherever the study and however it is shown."""
    leave(tmp_path / "max", {"seed": 1, "study": "old"}, "ok")
    assert finished_before(tmp_path / "max", {"seed": 1, "study": "new"}) == result()


def test_a_broken_run_keeps_its_checkpoint(tmp_path: Path) -> None:
    """To go on from."""
    leave(tmp_path / "max", {"seed": 1}, None)
    assert finished_before(tmp_path / "max", {"seed": 1}) is None
    claim_folder(tmp_path / "max", {"seed": 1})
    assert (tmp_path / "max" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize(("config", "status"), [({"seed": 1}, "failed"), ({"seed": 2, "overwrite": True}, "ok")])
def test_a_failed_or_replaced_run_starts_anew(tmp_path: Path, config: dict[str, object], status: str) -> None:
    """Old curves and checkpoints go; what a user put there stays."""
    leave(tmp_path / "max", {"seed": 1}, status)
    assert finished_before(tmp_path / "max", config) is None
    claim_folder(tmp_path / "max", config)
    left = {file.name for file in (tmp_path / "max").rglob("*") if file.is_file()}
    assert left == {"config.yaml", "overrides.yaml", "notes.txt"}


@pytest.mark.parametrize("status", ["ok", "failed", None])
def test_another_run_is_not_overwritten(tmp_path: Path, status: str | None) -> None:
    """The difference is named, and the way out."""
    leave(tmp_path / "max", {"seed": 1}, status)
    with pytest.raises(RunExistsError, match=r"seed: 1, now 2.*overwrite=true"):
        finished_before(tmp_path / "max", {"seed": 2})


def test_a_resumed_run_keeps_its_settings(tmp_path: Path) -> None:
    """But those of the trainer; its old result goes, for it is no longer that run's."""
    before = {"seed": 1, "trainer": {"max_epochs": 2}}
    longer = {"seed": 1, "trainer": {"max_epochs": 4}, "resume": "last.ckpt"}
    leave(tmp_path / "max", before, "ok")
    with pytest.raises(RunExistsError, match=r"resume: .*seed: 1, now 2"):
        finished_before(tmp_path / "max", {**longer, "seed": 2})
    assert finished_before(tmp_path / "max", longer) is None
    claim_folder(tmp_path / "max", longer)
    assert (tmp_path / "max" / "checkpoints" / "last.ckpt").exists()
    assert not (tmp_path / "max" / "result.json").exists()
