"""The comparison as text: the same numbers in every format, and nothing that breaks the format."""

import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from runs_on_disk import write_run, write_seeds, write_task

from textpool.study import tables
from textpool.study.comparison import compare
from textpool.study.grid import grid
from textpool.study.runs import read


@pytest.fixture
def two(tmp_path: Path) -> pd.DataFrame:
    """Max with 0.5 and 0.6, avg_x with 0.5 and 0.7: t(0.975, 1) = 12.7062, of one degree of freedom."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_seeds(tmp_path, [0.5, 0.7], pooling="avg_x")
    return compare(read(tmp_path))


def lines_of(comparison: pd.DataFrame, **options: Any) -> list[str]:
    """The lines of the Markdown."""
    return tables.markdown(comparison, grid(comparison), "Study first", **options).splitlines()


def test_markdown_by_hand(two: pd.DataFrame) -> None:
    """Every cell of a small table; columns without any value are left out."""
    lines = lines_of(two)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:6]]
    assert lines[0] == "# Study first"
    assert cells[0] == [
        *("run", "seeds", "test acc", "difference from max", "p", "verdict", "test loss"),
        *("parameters", "values per filter", "seconds"),
    ]
    assert [cell.strip("-") for cell in cells[1]] == [":", ":", ":", ":", ":", ":", ":", ":", ":", ":"]
    assert cells[2:] == [
        ["max", "2", "55.00 [-8.53, 118.53]", "", "", "", "0.4500", "10,818", "1", "3.2"],
        [
            *("avg_x", "2", "60.00 [-67.06, 187.06]", "+5.00 [-58.53, +68.53]", "0.500", "open"),
            *("0.4000", "10,818", "1", "3.2"),
        ],
    ]
    assert lines[7] == (
        "test/acc in %, of the best epoch of each run, with 95 % intervals. Intervals over other seeds only, not over "
        "other test sentences, are Student's t. open: neither; more seeds or sentences may tell."
    )
    assert len(lines) == 8


def test_words_are_to_the_left_and_numbers_to_the_right(two: pd.DataFrame) -> None:
    """The second line of a Markdown table sets the side on which each column is aligned."""
    ruler = lines_of(two)[3].strip("|").split("|")
    assert [side.startswith(":") for side in ruler] == [index in (0, 5) for index in range(10)]  # run and verdict
    assert all(side.startswith(":") != side.endswith(":") for side in ruler)


def test_the_loss_as_the_metric(tmp_path: Path) -> None:
    """It is no percentage, of one seed it has no interval, and it has no second column.

    Over the seeds with 0.5 and 0.4: t(0.975, 1) = 12.7062 times the standard error 0.05.
    """
    write_run(tmp_path, 0.75)
    write_seeds(tmp_path, [0.5, 0.6], pooling="avg")
    cells = tables.cells(compare(read(tmp_path), "test/loss"))
    assert cells.columns.tolist() == ["run", "seeds", "test loss", "parameters", "values per filter", "seconds"]
    assert cells["test loss"].tolist() == ["0.2500", "0.4500 [-0.1853, 1.0853]"]
    assert cells.iloc[0].tolist() == ["max", "1", "0.2500", "10,818", "1", "3.2"]


def test_statuses_and_reference_accuracies(tmp_path: Path) -> None:
    """These columns exist where a row has a value; the cells of a failed run are empty."""
    write_task(tmp_path, "tone", 0.7)
    write_task(tmp_path, "tone", None, pooling="kmax")
    found = tables.cells(compare(read(tmp_path))).to_dict("list")
    assert found["status"] == ["", "failed"]
    assert found["seeds"] == ["1", ""]
    assert found["test acc"] == ["70.00", ""]
    assert found["majority guess"] == ["50.00", ""]
    assert found["best reachable"] == ["90.00", ""]
    assert found["seconds"] == ["3.2", ""]


def test_several_baselines_are_not_named_in_the_heading(tmp_path: Path) -> None:
    """The heading names a baseline only if all rows have the same one."""
    for data in ("order", "tone"):
        for pooling in ("max", "avg"):
            write_seeds(tmp_path, [0.5, 0.6], pooling=pooling, data=data)
    assert "difference" in tables.cells(compare(read(tmp_path)))
    assert "difference from max-order" in tables.cells(compare(read(tmp_path), by=[]))


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< 0.001"), (0.0005, "< 0.001"), (0.001, "0.001"), (1.0, "1.000")])
def test_small_p_values_are_not_rounded_to_zero(two: pd.DataFrame, p: float, text: str) -> None:
    """A p-value of 0.000 would exclude chance."""
    two.loc[1, "p"] = p
    assert tables.cells(two)["p"].tolist() == ["", text]


def test_pipes_are_escaped_in_markdown(tmp_path: Path) -> None:
    """A pipe in a cell or in a heading would begin another column."""
    for train in ("a|b", "c"):
        for pooling in ("max", "avg"):
            write_run(tmp_path, pooling=pooling, settings={"data.train": train})
    comparison = compare(read(tmp_path))
    comparison.loc[0, "status"] = "1 | 2"
    lines = lines_of(comparison)
    assert lines[2].replace(" ", "") == r"||traina\|b|trainc|"
    [row] = [line for line in lines if r"1 \| 2" in line]
    assert row.count("|") == lines[lines.index("## Rows") + 2].count("|") + 1


def test_the_grid_in_markdown(tasks: Path) -> None:
    """Each panel is a section before the rows, with the intervals, the mean over tasks and the reference accuracies.

    kmax-k8 has 0.97 and 0.98 on order: half the interval is 12.7062 * 0.01 / 2. The normalized accuracies are 0.95,
    0.5125 and 0.0067.
    """
    text = "\n".join(" ".join(line.split()) for line in lines_of(compare(read(tasks))))
    for panel in ("n_filler 1", "n_filler 16"):
        assert f"## {panel}\n\n| | order | tone | position | all tasks |\n" in text
    [row] = {line for line in text.splitlines() if line.startswith("| kmax-k8 |")}
    assert row.startswith("| kmax-k8 | 97.5 [91.1, 103.9] | 70.5 [64.1, 76.9] | 25.5 [19.1, 31.9] | 0.49 [")
    assert "| max | 80.0 | 50.0 | 25.0 | 0.20 |\n" in text
    assert "| best reachable | 100.0 | 90.0 | 100.0 | |\n| majority guess | 50.0 | 50.0 | 25.0 | |\n" in text
    assert "test/acc in %, with 95 % intervals over other seeds. all tasks: mean normalized accuracy" in text
    assert text.index("## n_filler 16") < text.index("## Rows") < text.index("| kmax-k8-order-n_filler16 |")


def test_the_grid_of_another_metric_has_no_reference(tasks: Path) -> None:
    """The majority guess is an accuracy, and is not shown with other metrics."""
    text = "\n".join(lines_of(compare(read(tasks), "test/f1")))
    assert "## n_filler 16" in text
    assert "majority guess" not in text


def test_failed_and_missing_cells_of_the_grid(tasks: Path) -> None:
    """The cell of a failed run says so; a strategy without a run in a panel has no line there."""
    write_task(tasks, "tone", None, pooling="sum", filler=4)
    write_task(tasks, "tone", 0.7, pooling="avg", filler=4)
    found = grid(compare(read(tasks)))
    assert found is not None
    cells = tables.grid_cells(found, found.panels["n_filler 4"])
    assert cells.columns.tolist() == ["", "order", "tone", "position"]  # one task has no mean over tasks
    assert cells[cells[""].isin(["avg", "sum"])].to_numpy().tolist() == [
        ["avg", "", "70.0", ""],
        ["sum", "", "failed", ""],
    ]
    assert cells[""].tolist()[2:] == ["best reachable", "majority guess"]
    plain = tables.grid_cells(found, found.panels["n_filler 1"], intervals=False)
    assert plain["order"].tolist()[:3] == ["97.5", "68.5", "80.0"]


def test_without_a_grid_there_are_no_sections(two: pd.DataFrame) -> None:
    """The table alone needs no headings."""
    assert [line for line in lines_of(two) if line.startswith("#")] == ["# Study first"]


def test_errors_and_rows_below_their_ceiling_are_listed(tasks: Path) -> None:
    """Errors are below the table, what was not learned between the grid and the rows."""
    lines = lines_of(compare(read(tasks)), errors=["kmax failed: k | 0"], below=["max-order: 80 %"])
    assert lines[-1] == "- kmax failed: k | 0"
    heading = lines.index("## Below what the pooling can represent")
    assert lines[heading + 2] == "- max-order: 80 %"
    assert heading < lines.index("## Rows")
    assert "## Below what the pooling can represent" not in lines_of(compare(read(tasks)))


def test_a_row_is_below_its_ceiling_by_more_than_two_points(two: pd.DataFrame) -> None:
    """The bounds that are known are lower ones, so the text says `or more`."""
    assert tables.below_ceiling(two.assign(ceiling=math.nan)) == [
        "Nothing is known of what these poolings can represent."
    ]
    near = two.assign(ceiling=[0.569, 0.62])
    assert tables.below_ceiling(near) == ["Every row is within 2 points of what its pooling can represent."]
    low = two.assign(ceiling=[0.569, 0.621], solved=[0, 1])
    assert tables.below_ceiling(low) == [
        "avg_x: 60.0 %, and its pooling can represent 62.1 % or more (1/2 seeds reach the best)"
    ]


def test_a_row_without_interval_keeps_its_value(tmp_path: Path) -> None:
    """A run without predictions.csv is shown with its accuracy."""
    write_run(tmp_path, 0.7)
    write_run(tmp_path, 0.8, pooling="avg")
    assert tables.cells(compare(read(tmp_path)))["test acc"].tolist() == ["70.00", "80.00"]


def test_csv_and_json_hold_the_numbers_as_they_are(tasks: Path) -> None:
    """Read back, both equal the comparison: same columns, same rows, no rounding."""
    comparison = compare(read(tasks))
    from_csv = pd.read_csv(io.StringIO(tables.as_csv(comparison)))
    from_json = pd.DataFrame(json.loads(tables.as_json(comparison)))
    for found in (from_csv, from_json):
        assert found.columns.tolist() == comparison.columns.tolist()
        for name in comparison:
            expected = comparison[name].tolist()
            for value, known in zip(found[name].tolist(), expected, strict=True):
                missing = known is None or pd.isna(known) or known == ""
                assert (value is None or pd.isna(value) or value == "") if missing else value == pytest.approx(known)


def test_missing_numbers_are_null_in_json(tmp_path: Path) -> None:
    """JSON has no NaN: a missing number is null."""
    write_run(tmp_path, None)
    [row] = json.loads(tables.as_json(compare(read(tmp_path))), parse_constant=pytest.fail)
    assert row["mean"] is row["n_params"] is row["baseline"] is None
    assert (row["row"], row["status"], row["seeds"]) == ("max", "failed", 0)


def test_latex(two: pd.DataFrame) -> None:
    """A tabular of booktabs; underscores and percent signs are escaped, words to the left, the caption a comment."""
    two.loc[0, "status"] = "50 % & more"
    lines = tables.latex(two, None).splitlines()
    assert lines[0] == r"\begin{tabular}{llrrrrlrrrr}"
    assert {r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"} <= set(lines)
    assert any(line.startswith(r"avg\_x &  & 2 & 60.00 [-67.06, 187.06] &") for line in lines)
    assert any(line.startswith(r"max & 50 \% \& more & 2 &") for line in lines)
    assert lines[-1].startswith("% test/acc in %, of the best epoch")


def test_latex_includes_the_grid(tasks: Path) -> None:
    """Each panel is a tabular before that of the rows."""
    comparison = compare(read(tasks))
    text = tables.latex(comparison, grid(comparison))
    assert text.count(r"\begin{tabular}") == 3
    assert text.startswith("% n_filler 1\n\\begin{tabular}{lrrrr}\n")
    assert "kmax-k8 & 97.5 [91.1, 103.9] & 70.5 [64.1, 76.9] & 25.5 [19.1, 31.9] &" in text
    assert r"kmax-k8-order-n\_filler16 &" in text


@pytest.mark.parametrize("form", ["md", "csv", "json", "latex"])
@pytest.mark.parametrize("with_grid", [True, False])
def test_every_format_takes_every_comparison(tasks: Path, tmp_path: Path, form: str, with_grid: bool) -> None:
    """Each format works with a grid and without one, and its text ends with one line feed."""
    write_run(tmp_path / "one", None)
    comparison = compare(read(tasks if with_grid else tmp_path / "one"))
    text = tables.FORMATS[form](comparison, grid(comparison))
    assert "max" in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_caption_says_what_the_intervals_are_over(tasks: Path) -> None:
    """The caption explains the intervals over seeds and over the test set, and the correction of p."""
    for seed in range(2):
        write_task(tasks, "spread", 0.5 + seed / 10, pooling="max", seed=seed)
        write_task(tasks, "spread", 0.6 + seed / 5, pooling="avg", seed=seed)
    write_run(tasks, 0.5, folder="one", wrong=range(50), pooling="one", data="spread", settings={"data.n_filler": 1})
    comparison = compare(read(tasks))
    found = tables.caption(comparison)
    assert "Intervals over other seeds only, not over other test sentences, are Student's t." in found
    assert "One seed: the intervals are over other test sets of 100 sentences." in found
    # kmax-k3 and kmax-k8 have fewer than two seeds in common with max, except on `spread`, where they are missing
    assert "corrected for" not in found
    assert found.endswith("There is no verdict with fewer than 5 seeds, because several tables are compared.")
    assert "95 % intervals over other seeds or sentences." in tables.grid_caption(comparison)
    loss = tables.caption(compare(read(tasks), "test/loss"))
    assert loss.startswith("test/loss, of the best epoch")


@pytest.mark.parametrize(
    ("studies", "title"), [(["first"], "Study first"), (["first", "second"], "Studies first, second")]
)
def test_the_title(studies: list[str], title: str) -> None:
    """The title names one study or several."""
    assert tables.title(studies) == title
