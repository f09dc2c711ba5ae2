"""Which run may use a folder, and that a finished result stays until another finished result replaces it."""

import json
from pathlib import Path

import pytest
import yaml

from textpool.facts import Facts
from textpool.record import Result, file_hashes
from textpool.run.folder import (
    Run,
    RunExistsError,
    claim,
    finished_before,
    publish,
    staging_folder,
    working_folder,
)

Config = dict[str, object]


def result(status: str = "ok", accuracy: float = 0.5) -> Result:
    return Result("max", status, "max", 1, "2026-01-01", 1.5, {"pooling": "max"}, metrics={"test/acc": accuracy})


def run(folder: Path) -> Run:
    return Run(folder, Facts({"pooling": "max"}, 1, {"seed": 1}), ["seed=1", "data.train=a b.txt"])


def leave(folder: Path, config: Config, status: str | None) -> None:
    """Make a folder look like one in which a run was."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for name in ("events.out.tfevents.1", "predictions.csv", "checkpoints/last.ckpt", "notes.txt"):
        (folder / name).write_text(name)
    if status:
        result(status).write(folder)


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_new_folder(tmp_path: Path) -> None:
    """It gets the configuration and the facts of the run before the training starts."""
    folder = tmp_path / "a" / "max"
    assert finished_before(run(folder), {"seed": 1}) is None
    assert working_folder(folder) == folder
    claim(folder, run(folder), {"seed": 1})
    assert yaml.safe_load((folder / "config.yaml").read_text()) == {"seed": 1}
    facts = json.loads((folder / "facts.json").read_text())
    assert (facts["factors"], facts["seed"], facts["overrides"]) == ({"pooling": "max"}, 1, {"seed": 1})


def test_a_finished_run_is_returned(tmp_path: Path) -> None:
    """Wherever it lies and however it is shown: settings without influence on the numbers do not count."""
    leave(tmp_path / "max", {"seed": 1, "study": "old"}, "ok")
    assert finished_before(run(tmp_path / "max"), {"seed": 1, "study": "new", "k": 9}) == result()


def test_a_run_from_before_a_setting_was_added_is_finished(tmp_path: Path) -> None:
    """A study is not trained again because the data have a setting more, whose default changes nothing."""
    leave(tmp_path / "max", {"seed": 1, "data": {"lengths": [2, 3]}}, "ok")
    today = {"seed": 1, "data": {"lengths": [2, 3], "test_lengths": None, "fewest": 1}, "compile": False}
    assert finished_before(run(tmp_path / "max"), today) == result()


def test_an_interrupted_run_keeps_its_checkpoint(tmp_path: Path) -> None:
    """Training continues from it."""
    leave(tmp_path / "max", {"seed": 1}, None)
    assert finished_before(run(tmp_path / "max"), {"seed": 1}) is None
    claim(tmp_path / "max", run(tmp_path / "max"), {"seed": 1})
    assert (tmp_path / "max" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("config", "status"),
    [({"seed": 1}, "failed"), ({"seed": 2, "overwrite": True}, "failed"), ({"overwrite": True}, None)],
)
def test_a_failed_or_unfinished_run_that_is_replaced_starts_anew(
    tmp_path: Path, config: Config, status: str | None
) -> None:
    """Its curves and checkpoints are removed; a file that a user put there stays."""
    folder = tmp_path / "max"
    leave(folder, {"seed": 1}, status)
    assert finished_before(run(folder), config) is None
    assert working_folder(folder) == folder
    claim(folder, run(folder), config)
    assert files(folder) == {"config.yaml", "facts.json", "notes.txt"}


@pytest.mark.parametrize("status", ["ok", "failed", None])
def test_a_run_with_other_settings_is_refused(tmp_path: Path, status: str | None) -> None:
    """The error names the difference and the way out."""
    leave(tmp_path / "max", {"seed": 1}, status)
    with pytest.raises(RunExistsError, match=r"seed: 1, now 2.*overwrite=true"):
        finished_before(run(tmp_path / "max"), {"seed": 2})


def test_a_finished_result_stays_until_it_is_replaced(tmp_path: Path) -> None:
    """The new run writes to a staging folder; without a new result, nothing of the old run is touched."""
    folder, config = tmp_path / "max", {"seed": 2, "overwrite": True}
    leave(folder, {"seed": 1}, "ok")
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    assert finished_before(run(folder), config) is None
    target = working_folder(folder)
    assert target == staging_folder(folder)
    claim(target, run(folder), config)
    (target / "checkpoints").mkdir()
    (target / "checkpoints" / "last.ckpt").write_text("new")
    publish(folder)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert Result.read(folder) == result()


@pytest.mark.parametrize("interrupted_after", range(7))
def test_a_complete_replacement_is_published(
    tmp_path: Path, interrupted_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever file the publishing is interrupted after, it is completed at the next start."""
    folder = tmp_path / "max"
    leave(folder, {"seed": 1}, "ok")
    target = staging_folder(folder)
    leave(target, {"seed": 2}, None)
    for name in ("predictions.csv", "checkpoints/last.ckpt"):
        (target / name).write_text("new")
    (target / "events.out.tfevents.1").rename(target / "events.out.tfevents.2")
    (target / "facts.json").write_text("{}")
    result(accuracy=0.75).write(target)

    moves = iter(range(interrupted_after))
    replace = Path.replace

    def interrupted(self: Path, to: Path) -> Path:
        if next(moves, None) is None:
            raise KeyboardInterrupt
        return replace(self, to)

    monkeypatch.setattr(Path, "replace", interrupted)
    try:
        publish(folder)
    except KeyboardInterrupt:
        assert interrupted_after < 6  # six files move
    monkeypatch.undo()
    assert Result.read(folder).status == "ok"
    assert finished_before(run(folder), {"seed": 2}) == result(accuracy=0.75)
    assert (folder / "predictions.csv").read_text() == "new"
    assert (folder / "checkpoints" / "last.ckpt").read_text() == "new"
    assert files(folder) == {
        "config.yaml",
        "facts.json",
        "predictions.csv",
        "result.json",
        "notes.txt",
        "events.out.tfevents.2",
        "checkpoints/last.ckpt",
    }


def test_a_command_that_repeats_the_run(tmp_path: Path) -> None:
    """Quoted for a shell."""
    assert run(tmp_path).command == "python scripts/train.py seed=1 'data.train=a b.txt'"


def test_a_run_on_another_content_of_its_files_is_not_finished(tmp_path: Path) -> None:
    """The same name with other bytes is refused; results of earlier versions, without hashes, count as before."""
    file = tmp_path / "train.txt"
    file.write_text("a good\nb bad\n")
    config: Config = {"study": "s", "seed": 1, "data": {"train": str(file), "test": None}, "vectors": None}
    before = run(tmp_path / "max")
    claim(before.folder, before, config)
    files = file_hashes(config)
    assert list(files) == ["data.train"]
    found = Result("max", "ok", "max", 1, "2026", 1.0, {"pooling": "max"}, files=files)
    found.write(before.folder)
    assert finished_before(before, config) == found
    file.write_text("a good\nb bad\na bad\n")
    with pytest.raises(RunExistsError, match=r"max holds a run on another content of data\.train: choose another"):
        finished_before(before, config)
    found.files = {}
    found.write(before.folder)
    assert finished_before(before, config) == found
