"""A failure in one line, and on disk without harm to a finished run."""

import re
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf.errors import MissingMandatoryValue

from textpool.facts import Facts
from textpool.record import Result
from textpool.run.failure import describe, is_users_error, record_failure, root_cause
from textpool.run.folder import Run, RunExistsError


def run(folder: Path) -> Run:
    folder.mkdir(exist_ok=True)
    return Run(folder, Facts({"pooling": "kmax", "pooling.k": 0}, 7, {"k": 0}, {"pooling": "kmax"}), ["k=0"])


def test_the_cause_inside_of_hydras_error() -> None:
    """Hydra wraps what a constructor raises; the user caused what is inside."""
    error = InstantiationException("Error in call to target")
    error.__cause__ = ValueError("k: expected an integer")
    assert describe(root_cause(error)) == "k: expected an integer"


@pytest.mark.parametrize(
    ("error", "users", "text"),
    [
        (ValueError("k: expected\n  an integer"), True, "k: expected an integer"),
        (FileNotFoundError(2, "No such file", "a.txt"), True, "[Errno 2] No such file: 'a.txt'"),
        (RuntimeError("shape"), False, "RuntimeError: shape"),
        (ValueError(), True, "ValueError: "),
        (KeyError("x"), False, "KeyError: 'x'"),
    ],
)
def test_errors_in_one_line(error: Exception, users: bool, text: str) -> None:
    """What the user caused is its message; anything else has its type in front."""
    assert (is_users_error(error), describe(error)) == (users, text)


def test_where_an_error_was_raised() -> None:
    """The last function that is not of an installed package, such as that of a pooling of the user's."""

    def pool() -> None:
        torch.dot(torch.zeros(2), torch.zeros(3))

    with pytest.raises(RuntimeError) as caught:
        pool()
    where = r"\(in test_where_an_error_was_raised\.<locals>\.pool, test_failure\.py:\d+\)"
    assert re.fullmatch(rf"RuntimeError: .* {where}", describe(caught.value))


def test_a_missing_value_says_what_to_set() -> None:
    """Hydra's own message does not."""
    error = MissingMandatoryValue("Missing mandatory value: data.train")
    error.full_key = "data.train"
    assert describe(error) == "data.train: a value is needed: set data.train=…"


def test_a_failure_is_a_result(tmp_path: Path) -> None:
    """With its reason, its factors and the command that repeats it; the traceback is in the log."""
    assert record_failure(run(tmp_path / "kmax"), {"seed": 7}, ValueError("k: wrong"), "2026-01-01", 1.25)
    found = Result.read(tmp_path / "kmax")
    assert (found.status, found.error, found.seed, found.seconds) == ("failed", "k: wrong", 7, 1.25)
    assert found.factors == {"pooling": "kmax", "pooling.k": 0}
    assert found.command == "python scripts/train.py k=0"
    assert "ValueError: k: wrong" in (tmp_path / "kmax" / "train.log").read_text()


def test_a_finished_result_is_not_replaced_by_a_failure(tmp_path: Path) -> None:
    """Neither is the result of a run with other settings: the reason is kept beside it."""
    target = run(tmp_path / "kmax")
    finished = Result("kmax", "ok", "kmax", 7, "2026-01-01", 1.0, {"pooling": "kmax"})
    finished.write(target.folder)
    for error in (ValueError("k: wrong"), RunExistsError("other settings")):
        assert not record_failure(target, {"seed": 7}, error, "2026-01-02", 0.1)
        assert (target.folder / "refused.txt").read_text() == str(error)
    assert Result.read(target.folder) == finished
    (target.folder / "result.json").unlink()
    (target.folder / "config.yaml").write_text("seed: 8\n")
    assert not record_failure(target, {"seed": 7}, ValueError("k: wrong"), "2026-01-02", 0.1)
    assert not (target.folder / "result.json").exists()


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure that cannot be recorded is said, and does not hide the first error."""

    def full(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    target = run(tmp_path / "kmax")
    monkeypatch.setattr(Path, "open", full)
    record_failure(target, {}, ValueError("k: wrong"), "2026-01-01", 0.1)
    assert "the failure cannot be recorded: [Errno 28] No space" in capsys.readouterr().err
