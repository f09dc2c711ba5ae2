"""Command-line overrides, read as Hydra reads them."""

import pytest

from textpool.run.overrides import count_jobs, parse_overrides, swept_names, values_of


def test_what_is_swept() -> None:
    """Choices, ranges and globs; not settings with one value, which may be a list."""
    overrides = ["pooling=max,avg", "k=3", "seed=range(3)", "data=glob(*)", "+a.b=1,2", "model.kernel_sizes=[2,3]"]
    assert swept_names(overrides) == ["pooling", "seed", "data", "a.b"]


def test_overrides_as_values() -> None:
    """Numbers stay numbers, other values are text; what is deleted is no setting."""
    overrides = ["k=5", "optimizer.lr=0.1", "+x.y=true", "pooling=max", "data.test=null", "a.b=[2,3]", "~logger"]
    assert parse_overrides(overrides) == {
        "k": 5,
        "optimizer.lr": 0.1,
        "x.y": True,
        "pooling": "max",
        "data.test": None,
        "a.b": "[2,3]",
    }


@pytest.mark.parametrize(
    ("overrides", "jobs"),
    [
        (["pooling=max,avg", "k=1,3,5", "study=mine"], 6),
        (["seed=range(10)", "data=sentiment"], 10),
        (["pooling=glob(*)"], 3),
        (["pooling=glob(*,exclude=m*)", "seed=0,1"], 4),
        (["k=1,3,5", "pooling=max", "k=2"], 1),  # the command has precedence over the experiment
        (["model.kernel_sizes=[2,3],[4]"], 2),
        (["optimizer.lr=interval(0.001,0.1)"], None),
        ([], 1),
    ],
)
def test_number_of_jobs(overrides: list[str], jobs: int | None) -> None:
    """All combinations; of two overrides for one setting the later one counts."""
    assert count_jobs(overrides, lambda group: ["avg", "kept", "max"] if group == "pooling" else []) == jobs


@pytest.mark.parametrize(
    ("overrides", "values"),
    [
        (["pooling=max"], ["max"]),
        (["pooling=max,avg", "k=1,2"], ["max", "avg"]),
        (["pooling=max", "pooling=glob(k*)"], ["kept"]),
        (["k=3"], []),
    ],
)
def test_values_of_a_setting(overrides: list[str], values: list[str]) -> None:
    """Of two overrides the later one counts."""
    assert values_of("pooling", overrides, ["avg", "kept", "max"]) == values
