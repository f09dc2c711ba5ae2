"""Names of runs, and how Hydra's words are read."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.study.naming import count_jobs, parse_overrides, run_name, swept_names

CHOICES = {"pooling": "kmax", "data": "sentiment", "optimizer": "adam"}


@pytest.mark.parametrize(
    ("overrides", "swept", "name"),
    [
        ([], None, "kmax"),
        (["pooling=kmax"], ["pooling"], "kmax"),
        (["pooling=kmax", "k=5"], ["k"], "kmax-k5"),
        (["pooling=kmax", "k=5", "seed=1"], ["pooling", "k", "seed"], "kmax-k5-seed1"),
        (["k=5", "seed=1"], [], "kmax-k5-seed1"),
        (["optimizer.lr=0.1", "seed=1"], ["seed"], "kmax-seed1"),
        (["~logger", "k=5"], None, "kmax-k5"),
        (["pooling.k=5"], None, "kmax-k5"),
        (["optimizer.lr=1e-3"], None, "kmax-lr0.001"),
        (["data=sentiment"], None, "kmax-sentiment"),
        (["model.window_mask=none"], None, "kmax-window_mask_none"),
        (["model.kernel_sizes=[2,3]"], None, "kmax-kernel_sizes_2_3"),
        (["data.train=../a/my file.csv"], None, "kmax-train_my_file.csv_eef4"),
        (["study=mine", "overwrite=true", "experiment=lesson"], None, "kmax"),
        (["+trainer.precision=bf16-mixed"], ["trainer.precision"], "kmax-precision_bf16_mixed"),
    ],
)
def test_run_names(overrides: list[str], swept: list[str] | None, name: str) -> None:
    """Short, readable, with what was swept and no equals sign."""
    assert run_name(CHOICES, overrides, swept, {"k": 3}) == name


def test_k_of_a_part() -> None:
    """A strategy made of others depends on k where one of those does: its runs must not share a folder."""
    parts = {"poolings": [{"_target_": "textpool.pooling.Max"}, {"_target_": "textpool.pooling.KMax", "k": 3}]}
    assert run_name({"pooling": "max_kmax"}, ["k=5"], None, parts) == "max_kmax-k5"
    assert run_name({"pooling": "max_kmax"}, ["k=5"], None, {"poolings": parts["poolings"][:1]}) == "max_kmax"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\\'\n\r\0"), max_size=300))
def test_run_names_fit_every_file_system(value: str) -> None:
    """Whatever a value holds."""
    name = run_name(CHOICES, [f"data.train='{value}'"], None, {})
    assert len(name) <= 80
    assert not set(name) & set("=/ :*?\"'<>|,")


def test_a_k_that_is_not_taken_is_not_named() -> None:
    """Max with k=1 and with k=3 is one run, with one name."""
    assert run_name({"pooling": "max"}, ["pooling=max", "k=3", "seed=1"], ["pooling", "k", "seed"], {}) == "max-seed1"


def test_files_of_one_name_in_two_folders_stay_different() -> None:
    """A sweep over en/train.txt and de/train.txt is two runs."""
    names = {run_name(CHOICES, [f"data.train={folder}/train.txt"], None, {}) for folder in ("en", "de")}
    assert len(names) == 2


def test_long_names_stay_different() -> None:
    """Cut, but not to the same."""
    names = {run_name(CHOICES, [f"data.train='{'long' * 30}{i}'"], None, {}) for i in range(3)}
    assert len(names) == 3


def test_what_is_swept() -> None:
    """Choices, ranges and globs; not what has one value."""
    overrides = ["pooling=max,avg", "k=3", "seed=range(3)", "data=glob(*)", "+a.b=1,2", "model.kernel_sizes=[2,3]"]
    assert swept_names(overrides) == ["pooling", "seed", "data", "a.b"]


def test_overrides_as_values() -> None:
    """Numbers stay numbers; the rest is text."""
    overrides = ["k=5", "optimizer.lr=0.1", "+x.y=true", "pooling=max", "data.test=null", "model.kernel_sizes=[2,3]"]
    assert parse_overrides(overrides) == {
        "k": 5,
        "optimizer.lr": 0.1,
        "x.y": True,
        "pooling": "max",
        "data.test": None,
        "model.kernel_sizes": "[2,3]",
    }


def test_a_study_needs_neither_torch_nor_lightning() -> None:
    """They take seconds to import: --help, errors in overrides and tables must not wait for them."""
    code = (
        "import sys; from textpool.study import launch, plots, table; print(*{'torch', 'lightning'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("overrides", "jobs"),
    [
        (["pooling=max,avg", "k=1,3,5", "study=mine"], 6),
        (["seed=range(10)", "data=sentiment"], 10),
        (["pooling=glob(*)"], 3),
        (["pooling=glob(*,exclude=m*)", "seed=0,1"], 4),
        (["k=1,3,5", "pooling=max", "k=2"], 1),  # the command wins over the experiment
        (["model.kernel_sizes=[2,3],[4]"], 2),
        (["optimizer.lr=interval(0.001,0.1)"], None),
        ([], 1),
    ],
)
def test_number_of_jobs(overrides: list[str], jobs: int | None) -> None:
    """All combinations; what was given twice counts as it was given last."""
    assert count_jobs(overrides, lambda group: ["avg", "kept", "max"] if group == "pooling" else []) == jobs
