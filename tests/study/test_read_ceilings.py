"""The file of bounds: read as it was written, and put beside the rows of a comparison for which they hold."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from runs_on_disk import write_task

from textpool.study.ceilings import KINDS, read_ceilings, task_settings, with_ceilings, write_ceilings
from textpool.study.comparison import compare
from textpool.study.runs import read

ROOT = Path(__file__).parents[2]
ORDER = "data.gap=3 data.lengths=[15,25] data.n_filler=1 model.window_mask=valid"


def bounds(strategy: str, settings: str = "", lower: float = 0.5, upper: float = 1.0, **other: Any) -> dict[str, Any]:
    pooling = strategy.split("-")[0]
    row = {"strategy": strategy, "pooling": pooling, "settings": settings, "data": "order", "task": ORDER}
    return {**row, "lower": lower, "upper": upper, "kind": "bounds", **other}


@pytest.fixture
def ceilings(tmp_path: Path) -> pd.DataFrame:
    path = tmp_path / "ceilings.csv"
    rows = [bounds("max", lower=0.5, upper=0.5, kind="blind"), bounds("kmax-k3", "k=3", 0.75, 0.8)]
    write_ceilings(path, [*rows, bounds("kmax-k8", "k=8", 0.99, 1.0)])
    return read_ceilings(path)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Sorted, with four digits; settings are texts, also where there are none."""
    path = tmp_path / "ceilings.csv"
    write_ceilings(path, [bounds("max", lower=0.123456), bounds("kmax-k3", "k=3")])
    table = read_ceilings(path)
    assert table["strategy"].tolist() == ["kmax-k3", "max"]
    assert table["settings"].tolist() == ["k=3", ""]
    assert table["lower"].tolist() == [0.5, 0.1235]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected the columns strategy, pooling"),
        ("strategy,pooling,settings,data,task,lower,upper,kind\nmax,max,,order,,2,3,exact\n", "lower: expected accur"),
        ("strategy,pooling,settings,data,task,lower,upper,kind\nmax,max,,order,,x,1,exact\n", "lower: expected accur"),
        ("strategy,pooling,settings,data,task,lower,upper,kind\nmax,max,,order,,0,1,sure\n", "kind: expected one of"),
        ("", "not CSV"),
    ],
)
def test_other_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    """With the name of the file, and what is wrong."""
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"other.csv: {message}"):
        read_ceilings(path)
    with pytest.raises(ValueError, match=r"missing.csv: cannot be read"):
        read_ceilings(tmp_path / "missing.csv")


def test_bounds_are_columns(tmp_path: Path, ceilings: pd.DataFrame) -> None:
    """Only with one filler word, and by the settings of the pooling's own, whatever the row is called."""
    for filler in (1, 16):
        for k in (3, 8):
            write_task(tmp_path / "study", "order", 0.7, filler=filler, pooling="kmax", k=k)
        write_task(tmp_path / "study", "order", 0.5, filler=filler, pooling="max")
        write_task(tmp_path / "study", "tone", 0.5, filler=filler, pooling="max")
    table = with_ceilings(compare(read(tmp_path / "study")), ceilings).set_index("row")
    known = table[table["ceiling"].notna()]
    assert {row: (lower, upper) for row, lower, upper in known[["ceiling", "ceiling_upper"]].itertuples()} == {
        "kmax-k3-order-n_filler1": (0.75, 0.8),
        "kmax-k8-order-n_filler1": (0.99, 1.0),
        "max-order-n_filler1": (0.5, 0.5),
    }
    assert len(table) == 8
    assert table.attrs["factors"] == ["pooling", "data", "model", "pooling.k", "data.n_filler"]


@pytest.mark.parametrize(
    ("setting", "value", "same"),
    [
        ("data.lengths", "[15,25]", True),
        ("data.lengths", "[30,40]", False),
        ("data.gap", 3, True),
        ("data.gap", 7, False),
        ("data.at_least", 3, False),  # which this task does not have
        ("data.n_train", 500, True),
        ("data.seed", 7, True),
        ("model.n_filters", 8, True),
        ("model.window_mask", "touching", False),
        ("optimizer.lr", 0.1, True),
    ],
)
def test_bounds_hold_for_the_settings_of_the_task(
    setting: str, value: Any, same: bool, tmp_path: Path, ceilings: pd.DataFrame
) -> None:
    """A factor that changes the sentences or the windows must have the value for which the bounds were computed."""
    write_task(tmp_path / "study", "order", 0.5, settings={setting: value}, pooling="max")
    row = with_ceilings(compare(read(tmp_path / "study")), ceilings).iloc[0]
    assert (row["ceiling"] == 0.5) == same
    assert math.isnan(row["ceiling_upper"]) == (not same)


def test_bounds_are_accuracies(tmp_path: Path, ceilings: pd.DataFrame) -> None:
    """No bound of an accuracy is shown beside a loss."""
    write_task(tmp_path / "study", "order", 0.5, pooling="max")
    assert with_ceilings(compare(read(tmp_path / "study"), "test/loss"), ceilings)["ceiling"].isna().all()


def test_settings_without_effect_are_left_out() -> None:
    """What remains is what the sentences and the windows depend on."""
    factors = {"data.gap": 3, "data.seed": 1, "data.words.a": "great", "model.dropout": 0.3, "pooling.k": 3}
    assert task_settings({**factors, "model.kernel_sizes": "[2,3]"}) == "data.gap=3 model.kernel_sizes=[2,3]"


def test_the_file_of_the_documentation() -> None:
    """Every pooling on each of the eight tasks, and no lower bound above the upper one."""
    table = read_ceilings(ROOT / "docs" / "ceilings.csv")
    poolings = {file.stem for file in (ROOT / "conf" / "pooling").glob("*.yaml")}
    assert poolings <= set(table["pooling"])
    assert (table.groupby("strategy")["data"].nunique() == 8).all()
    assert (table["lower"] <= table["upper"]).all()
    assert set(table["kind"]) == set(KINDS)
    table = table.set_index(["strategy", "data"])
    for strategy, data, accuracy in [("max", "twice", 0.5), ("avg", "tone", 0.8605), ("kmax-k8", "order", 1.0)]:
        assert table.loc[(strategy, data), "upper"] == pytest.approx(accuracy, abs=1e-4)
