"""What the runs of a study say together: rows, their names, intervals, baselines and verdicts."""

import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from runs_on_disk import cut_short, write_run, write_seeds

from textpool.study.comparison import compare
from textpool.study.runs import read
from textpool.study.tables import caption, cells

Row = dict[str, Any]


def rows(*studies: Path, **options: Any) -> dict[str, Row]:
    """The comparison of studies: name of the row → its values."""
    records = compare(read(studies), **options).to_dict("records")
    return {str(row["row"]): {str(name): value for name, value in row.items()} for row in records}


def column(found: dict[str, Row], name: str) -> list[Any]:
    """A column of the comparison, None where a value is missing."""
    return [None if pd.isna(row[name]) else row[name] for row in found.values()]


def names(study: Path) -> list[str]:
    """The names of the rows."""
    return compare(read(study))["row"].tolist()


def test_a_comparison_by_hand(tmp_path: Path) -> None:
    """Mean, difference and their intervals: t(0.975, 2) = 4.302653, p = 1 - t / sqrt(t² + 2) of two degrees of freedom.

    Differences of avg: 0.01, 0.02, 0.00, so t = sqrt(3); of sum: 0.01, 0.02, 0.03, so t = 2 sqrt(3). Holm doubles the
    smaller p-value, which is not significant: both intervals have the level 1 - 0.05 / 2, t(0.9875, 2) = 6.205347.
    """
    write_seeds(tmp_path, [0.70, 0.80, 0.90])
    write_seeds(tmp_path, [0.71, 0.82, 0.90], pooling="avg")
    write_seeds(tmp_path, [0.71, 0.82, 0.93], pooling="sum")
    found = rows(tmp_path)
    half, wide = 4.302653 / 3**0.5, 6.205347 / 3**0.5
    assert [found["max"][name] for name in ("mean", "low", "high")] == pytest.approx(
        [0.8, 0.8 - 0.1 * half, 0.8 + 0.1 * half], abs=1e-6
    )
    assert [found["avg"][name] for name in ("difference", "difference_low", "difference_high")] == pytest.approx(
        [0.01, 0.01 - 0.01 * wide, 0.01 + 0.01 * wide], abs=1e-6
    )
    assert found["avg"]["p"] == pytest.approx(1 - (3 / 5) ** 0.5)
    assert found["sum"]["p"] == pytest.approx(2 * (1 - (12 / 14) ** 0.5))
    assert column(found, "over") == ["seeds"] * 3
    assert column(found, "seeds") == [3, 3, 3]
    assert column(found, "baseline") == [None, "max", "max"]
    assert column(found, "difference")[0] is None
    assert column(found, "loss") == pytest.approx([0.2, 0.19, 0.18])


def test_verdicts_over_seeds(tmp_path: Path) -> None:
    """A small but steady difference is one, of a large unsteady one nothing is known; the baseline has no verdict."""
    write_seeds(tmp_path, [0.70, 0.80, 0.90, 0.75])
    write_seeds(tmp_path, [0.71, 0.812, 0.909, 0.76], pooling="steady")
    write_seeds(tmp_path, [0.69, 0.788, 0.891, 0.74], pooling="lower")
    write_seeds(tmp_path, [0.90, 0.70, 0.95, 0.70], pooling="unsteady")
    assert column(rows(tmp_path, equal_within=0.5), "verdict") == ["", "better", "worse", "open"]


def test_accuracies_are_equal_if_the_whole_interval_is_near_0(tmp_path: Path) -> None:
    """Differences of 0.001, 0.002, 0.001, 0.002: the interval is 0.0015 ± 3.182446 * 0.000289.

    It leaves out 0, and is still within one point; with `equal_within` 0.2 points it is not within, and 0 means never.
    """
    write_seeds(tmp_path, [0.70, 0.80, 0.90, 0.75])
    write_seeds(tmp_path, [0.701, 0.802, 0.901, 0.752], pooling="near")
    assert rows(tmp_path)["near"]["verdict"] == "equal"
    assert rows(tmp_path)["near"]["difference_low"] > 0
    assert rows(tmp_path, equal_within=0.2)["near"]["verdict"] == "better"
    assert rows(tmp_path, equal_within=0)["near"]["verdict"] == "better"
    with pytest.raises(ValueError, match=r"^equal_within: expected a number of points of at least 0, got -1$"):
        rows(tmp_path, equal_within=-1)


@pytest.mark.parametrize(("seeds", "verdict"), [(4, ""), (5, "better")])
def test_a_grid_has_no_verdict_under_five_seeds(tmp_path: Path, seeds: int, verdict: str) -> None:
    """Many comparisons of few seeds make false findings; a single table of few seeds keeps its verdicts."""
    for data in ("order", "tone"):
        write_seeds(tmp_path, [0.70, 0.80, 0.90, 0.75, 0.8][:seeds], data=data)
        write_seeds(tmp_path, [0.81, 0.90, 1.00, 0.85, 0.9][:seeds], pooling="avg", data=data)
    found = rows(tmp_path)
    assert [found[f"avg-{data}"]["verdict"] for data in ("order", "tone")] == [verdict] * 2
    assert found["avg-order"]["p"] < 0.05
    assert ("no verdict with fewer than 5 seeds" in caption(compare(read(tmp_path)))) == (verdict == "")


def test_a_loss_is_better_when_lower(tmp_path: Path) -> None:
    """The verdict knows the direction of the metric; the test loss is 1 minus the accuracy here."""
    write_seeds(tmp_path, [0.70, 0.80, 0.90])
    write_seeds(tmp_path, [0.71, 0.8101, 0.9102], pooling="avg")
    write_seeds(tmp_path, [0.69, 0.7899, 0.8898], pooling="sum")
    found = rows(tmp_path, metric="test/loss")
    assert column(found, "mean") == pytest.approx([0.2, 0.1899, 0.2101], abs=1e-4)
    assert column(found, "verdict") == ["", "better", "worse"]


def test_a_separable_difference_needs_a_small_corrected_p(tmp_path: Path) -> None:
    """The interval of a difference is wider where many rows are compared, so that it agrees with p.

    Differences 0.02, 0.03, 0.04: t = 5.2 > 4.3, p = 0.035; as the smallest of three, p is 0.105.
    """
    write_seeds(tmp_path, [0.70, 0.80, 0.90])
    write_seeds(tmp_path, [0.72, 0.83, 0.94], pooling="avg")
    assert rows(tmp_path)["avg"]["verdict"] == "better"
    for pooling in ("x", "y"):
        write_seeds(tmp_path, [0.9, 0.7, 0.8], pooling=pooling)
    found = rows(tmp_path)["avg"]
    assert found["difference_low"] < 0
    assert found["p"] == pytest.approx(3 * (1 - (27 / 29) ** 0.5))
    assert found["verdict"] == "open"


def test_holm_corrects_within_a_block(tmp_path: Path) -> None:
    """Two data sets with one difference each are two questions, each with one comparison."""
    for data in ("order", "tone"):
        write_seeds(tmp_path, [0.70, 0.80, 0.90], data=data)
        write_seeds(tmp_path, [0.71, 0.82, 0.93], pooling="avg", data=data)
    found = rows(tmp_path)
    assert [found[name]["p"] for name in ("avg-order", "avg-tone")] == pytest.approx([1 - (12 / 14) ** 0.5] * 2)


def test_pairs_are_made_by_seed_not_by_place(tmp_path: Path) -> None:
    """Seeds that only one of the two has are left out of the difference, and the order of the runs is irrelevant."""
    write_seeds(tmp_path, [0.5, 0.6, 0.7])
    for seed, accuracy in ((2, 0.73), (1, 0.61), (9, 0.1)):
        write_run(tmp_path, accuracy, pooling="avg", seed=seed)
    found = rows(tmp_path)["avg"]
    assert found["difference"] == pytest.approx(0.02)  # of 0.01 and 0.03
    assert found["mean"] == pytest.approx(0.48)


@pytest.mark.parametrize("seeds", [(7, 8), (0, 8)])
def test_fewer_than_two_common_seeds_give_no_difference(tmp_path: Path, seeds: tuple[int, int]) -> None:
    """Such a row has a mean over its seeds, but too few pairs for a test."""
    write_seeds(tmp_path, [0.5, 0.6])
    for seed in seeds:
        write_run(tmp_path, 0.9, pooling="avg", seed=seed)
    found = rows(tmp_path)
    assert column(found, "mean") == pytest.approx([0.55, 0.9])
    assert column(found, "p") == [None, None]
    assert column(found, "verdict") == ["", ""]


def test_a_seed_that_was_run_twice_counts_once(tmp_path: Path) -> None:
    """`seed=0` and the default seed 0 are one training: the first run counts, in every column."""
    write_run(tmp_path, 0.5)
    write_run(tmp_path, 0.9, seed=0)
    write_run(tmp_path, 0.6, seed=1)
    [found] = rows(tmp_path).values()
    assert found["seeds"] == 2
    assert found["mean"] == pytest.approx(0.55)
    assert found["loss"] == pytest.approx(0.45)


def test_the_duration_is_the_median(tmp_path: Path) -> None:
    """One run on a busy machine does not distort it; failed runs do not count."""
    for seed, seconds in enumerate((3.0, 5.0, 100.0)):
        write_run(tmp_path, 0.5, seed=seed, result={"seconds": seconds})
    write_run(tmp_path, None, seed=3, result={"seconds": 0.1})
    assert rows(tmp_path)["max"]["seconds"] == 5


def write_one_seed(study: Path, pooling: str, wrong: Iterable[int], **options: Any) -> None:
    """A run with predictions for 100 sentences, some of them wrong."""
    wrong = list(wrong)
    write_run(study, 1 - len(wrong) / 100, wrong=wrong, pooling=pooling, **options)


def test_one_seed_shows_the_uncertainty_of_the_test_set(tmp_path: Path) -> None:
    """The interval is that of Clopper and Pearson, here of 70 of 100; the verdict says that it is of one seed.

    `good` is right on 20 sentences on which max is wrong: (21 + 1 - 400 / 102) / 102² is the variance. `like` on 2.
    """
    write_one_seed(tmp_path, "max", range(30))
    write_one_seed(tmp_path, "good", range(10))
    write_one_seed(tmp_path, "like", range(28))
    write_one_seed(tmp_path, "bad", range(60))
    found = rows(tmp_path)
    assert column(found, "over") == ["sentences"] * 4
    assert [found["max"][name] for name in ("mean", "low", "high")] == pytest.approx([0.7, 0.6002, 0.7876], abs=1e-4)
    assert column(found, "difference")[1:] == pytest.approx([0.2, 0.02, -0.3])
    z = 0.2 / ((22 - 400 / 102) ** 0.5 / 102)
    assert found["good"]["p"] == pytest.approx(2 * math.erfc(z / 2**0.5), rel=1e-6)  # the second smallest of three
    assert column(found, "verdict") == ["", "better, one seed", "open", "worse, one seed"]
    assert "One seed: the intervals are over other test sets of 100 sentences" in caption(compare(read(tmp_path)))


def test_seeds_with_the_same_sentences_are_a_table_of_seeds_by_sentences(tmp_path: Path) -> None:
    """Two seeds, each wrong on the same 20 sentences and on 10 others: the variance is that of both ways.

    MS_seed is 0, below MS_residual = 10 / 99 * ... : the means of the sentences are 0 (20), 1/2 (20) and 1 (60).
    """
    for seed in (0, 1):
        wrong = [*range(20), *range(20 + 10 * seed, 30 + 10 * seed)]
        write_run(tmp_path, 0.7, wrong=wrong, seed=seed, result={"test_hash": "x"})
        write_run(tmp_path, 0.8, wrong=range(20), seed=seed, pooling="avg", result={"test_hash": "x"})
    found = rows(tmp_path)
    assert column(found, "over") == ["seeds and sentences"] * 2
    sentences = 2 * (20 * 0.7**2 + 20 * 0.2**2 + 60 * 0.3**2) / 99
    variance = sentences / 200  # MS_seed counts as MS_residual, which cancels it
    low, high = found["max"]["low"], found["max"]["high"]
    assert low < 0.7 - 1.96 * variance**0.5
    assert 0.7 + 1.96 * variance**0.5 < high < 1
    assert found["avg"]["difference"] == pytest.approx(0.1)
    assert found["avg"]["verdict"] == "open"  # two seeds are few


def test_seeds_with_sentences_of_their_own_are_independent(tmp_path: Path) -> None:
    """The interval is over both then, too, and there are as many sentences as all seeds have together."""
    for seed, accuracy in enumerate([1.0, 1.0, 1.0]):
        write_run(tmp_path, accuracy, seed=seed, result={"test_hash": str(seed)})
    found = rows(tmp_path)["max"]
    assert found["over"] == "seeds and sentences"
    assert (found["low"], found["high"]) == pytest.approx((0.025 ** (1 / 300), 1))


def test_random_splits_of_the_same_texts_are_not_independent(tmp_path: Path) -> None:
    """The interval is wider by Nadeau and Bengio's correction: sqrt((1/4 + 1/2) / (1/4)) for a test split of half."""
    for seed, accuracy in enumerate([0.7, 0.72, 0.71, 0.73]):
        facts = {"test_hash": str(seed), "n_train": 200}
        write_run(tmp_path / "drawn", accuracy, seed=seed, result=facts | {"natural_text": False})
        write_run(tmp_path / "split", accuracy, seed=seed, result=facts | {"natural_text": True})
        write_run(tmp_path / "drawn", accuracy + 0.01 * seed, seed=seed, pooling="avg", result=facts)
        write_run(
            tmp_path / "split", accuracy + 0.01 * seed, seed=seed, pooling="avg", result=facts | {"natural_text": True}
        )
    drawn, split = (rows(tmp_path / name)["avg"] for name in ("drawn", "split"))
    widths = [row["difference_high"] - row["difference_low"] for row in (drawn, split)]
    assert widths[1] / widths[0] == pytest.approx(3**0.5)


def test_predictions_that_were_cut_are_not_believed(tmp_path: Path) -> None:
    """The accuracy is that of the result, and there is no difference on sentences that are missing."""
    write_run(tmp_path, 0.9, wrong=range(10))
    run = write_run(tmp_path, 0.8, wrong=range(20), pooling="avg")
    lines = (run / "predictions.csv").read_text().splitlines(keepends=True)
    (run / "predictions.csv").write_text("".join(lines[:40]))
    found = rows(tmp_path)
    assert found["avg"]["mean"] == 0.8
    assert found["avg"]["no_difference"] == "no whole predictions.csv"


def test_folds_are_repetitions(tmp_path: Path) -> None:
    """Runs of other folds are one row, paired by fold, with the interval of splits of the same texts."""
    for fold, accuracy in enumerate([0.7, 0.72, 0.71, 0.73]):
        facts = {"test_hash": str(fold), "n_train": 300, "natural_text": True}
        settings = {"data.folds": 4, "data.fold": fold}
        write_run(tmp_path, accuracy, settings=settings, result=facts)
        write_run(tmp_path, accuracy + 0.01 * fold, settings=settings, pooling="avg", result=facts)
    write_run(tmp_path, None, settings={"data.folds": 4, "data.fold": 0}, pooling="sum")
    found = rows(tmp_path)
    assert list(found) == ["max", "avg", "sum"]
    assert column(found, "seeds") == [4, 4, 0]
    assert found["avg"]["difference"] == pytest.approx(0.015)
    spread = (0.01**2 * 5 / 3 * (1 / 4 + 1 / 3)) ** 0.5
    half = (found["avg"]["difference_high"] - found["avg"]["difference_low"]) / 2
    assert half == pytest.approx(3.182446 * spread, rel=1e-4)
    table = compare(read(tmp_path))
    assert table.attrs["folds"] == 4
    assert "Each run was tested on one of 4 folds." in caption(table)
    assert "runs" in cells(table)


def test_seeds_and_folds_are_repetitions_together(tmp_path: Path) -> None:
    """Two seeds of two folds are four runs; one that has another fold is paired with none."""
    for seed, fold in itertools.product(range(2), range(2)):
        settings = {"data.folds": 2, "data.fold": fold}
        write_run(tmp_path, 0.7, seed=seed, settings=settings, result={"test_hash": str(fold)})
    write_run(tmp_path, 0.8, seed=0, pooling="avg", settings={"data.folds": 2, "data.fold": 1})
    write_run(tmp_path, 0.8, seed=5, pooling="sum", settings={"data.folds": 2, "data.fold": 1})
    found = rows(tmp_path)
    assert column(found, "seeds") == [4, 1, 1]
    assert found["sum"]["no_difference"] == "no seed in common with the baseline"


def test_the_best_value_of_a_setting_is_chosen_on_the_validation_split(tmp_path: Path) -> None:
    """Each row has the learning rate of the highest validation accuracy, whatever the test says; ties by the loss."""
    validation = {
        ("max", 0.1): (0.9, 0.3),
        ("max", 0.2): (0.8, 0.2),
        ("avg", 0.1): (0.9, 0.3),
        ("avg", 0.2): (0.9, 0.2),
    }
    for (pooling, lr), (accuracy, loss) in validation.items():
        for seed in range(2):
            metrics = {"test/acc": 0.5 + lr + 0.01 * seed, "val/acc": accuracy, "val/loss": loss, "test/loss": 0.1}
            settings = {"optimizer.lr": lr}
            write_run(tmp_path, 0.5, pooling=pooling, seed=seed, settings=settings, result={"metrics": metrics})
    write_run(tmp_path, None, pooling="sum", settings={"optimizer.lr": 0.1})
    found = rows(tmp_path, choose=["optimizer.lr"])
    assert list(found) == ["max", "avg", "sum"]
    assert column(found, "chosen") == ["lr 0.1", "lr 0.2", "lr 0.1"]
    assert column(found, "mean") == [pytest.approx(0.605), pytest.approx(0.705), None]
    assert len(rows(tmp_path)) == 5
    with pytest.raises(ValueError, match=r"^choose: expected one of data, model, optimizer\.lr, got 'lr'$"):
        rows(tmp_path, choose=["lr"])


def test_solved(tmp_path: Path) -> None:
    """A seed has solved a task if it is within a point of the best, or two standard errors of the test set."""
    write_seeds(tmp_path, [1.0, 0.989, 0.991, 0.5], result={"bayes_accuracy": 1.0})
    write_seeds(tmp_path, [0.81, 0.79], pooling="avg", result={"bayes_accuracy": 0.9})  # 0.9 - 2 * 0.03
    write_seeds(tmp_path, [0.85, 0.83], pooling="sum", result={"bayes_accuracy": 0.9})
    write_seeds(tmp_path, [0.85, 0.83], pooling="first")
    found = rows(tmp_path)
    assert column(found, "solved") == [2, 0, 1, None]
    assert "solved: seeds that reach the best accuracy" in caption(compare(read(tmp_path)))


def test_without_predictions_one_seed_has_no_interval(tmp_path: Path) -> None:
    """A run that lost its predictions keeps its accuracy; others are compared without it."""
    write_run(tmp_path, 0.7)
    write_one_seed(tmp_path, "avg", range(20))
    found = rows(tmp_path)
    assert column(found, "mean") == pytest.approx([0.7, 0.8])
    assert column(found, "over") == [None, "sentences"]
    assert column(found, "low")[0] is None
    assert column(found, "difference") == [None, None]


def test_predictions_serve_accuracy_only(tmp_path: Path) -> None:
    """Another metric of one seed is shown without an interval."""
    write_one_seed(tmp_path, "max", range(30))
    write_one_seed(tmp_path, "avg", range(20))
    found = rows(tmp_path, metric="test/f1")
    assert column(found, "mean") == pytest.approx([0.7, 0.8])
    assert column(found, "over") == [None, None]


def test_different_test_sets_are_not_paired(tmp_path: Path) -> None:
    """Sentences are paired by their index, so two lists with different labels are not compared."""
    write_one_seed(tmp_path, "max", range(30))
    write_one_seed(tmp_path, "avg", range(20))
    path = tmp_path / "avg" / "predictions.csv"
    path.write_text(path.read_text().replace("\n0,no,", "\n0,yes,"))
    found = rows(tmp_path)["avg"]
    assert found["over"] == "sentences"
    assert pd.isna(found["difference"])


def test_different_seeds_are_not_paired(tmp_path: Path) -> None:
    """Two rows with one run each, of different seeds, have no paired difference."""
    write_one_seed(tmp_path, "max", range(30), seed=0)
    write_one_seed(tmp_path, "avg", range(20), seed=1)
    assert column(rows(tmp_path), "difference") == [None, None]


@pytest.mark.parametrize(
    ("baseline", "name"), [("max", "max"), ("avg", "avg"), ("kmax-k5", "kmax-k5"), ("kmax", "kmax-k3"), ("no", "sum")]
)
def test_the_baseline(tmp_path: Path, baseline: str, name: str) -> None:
    """The baseline is the row of this name, or the first row of this pooling, or else the first row."""
    for command in ({"pooling": "sum"}, {}, {"pooling": "avg"}, *({"pooling": "kmax", "k": k} for k in (3, 5))):
        write_seeds(tmp_path, [0.5, 0.6], **command)
    found = rows(tmp_path, baseline=baseline)
    assert [row["row"] for row in found.values() if row["baseline"] is None] == [name]
    assert {row["baseline"] for row in found.values()} == {None, name}


def test_a_row_name_goes_before_a_pooling_name(tmp_path: Path) -> None:
    """Where a row has the very name of the baseline, a row of a pooling of this name is not taken."""
    write_run(tmp_path, pooling="max-tone", data="order")
    write_run(tmp_path, pooling="max", data="tone", folder="max")
    found = rows(tmp_path, baseline="max-tone", by=[])
    assert {name: row["baseline"] for name, row in found.items()} == {"max_tone-order": "max-tone", "max-tone": None}


def test_a_baseline_without_finished_runs_is_no_baseline(tmp_path: Path) -> None:
    """The first row that has a finished run takes its place."""
    write_run(tmp_path, None)
    write_seeds(tmp_path, [0.5, 0.6], pooling="avg")
    write_seeds(tmp_path, [0.6, 0.7], pooling="sum")
    found = rows(tmp_path)
    assert found["avg"]["baseline"] is None
    assert found["sum"]["baseline"] == "avg"
    assert found["sum"]["difference"] == pytest.approx(0.1)


def test_each_value_of_another_factor_has_a_baseline_of_its_own(tmp_path: Path) -> None:
    """In a sweep over data too, avg on one data set is compared with max on that one; `by` decides otherwise."""
    for data in ("needle", "tone"):
        for pooling in ("max", "avg"):
            write_seeds(tmp_path, [0.5, 0.6], pooling=pooling, data=data)
    own = [None, "max-needle", None, "max-tone"]
    assert column(rows(tmp_path), "baseline") == own
    assert column(rows(tmp_path, by=["data"]), "baseline") == own
    assert column(rows(tmp_path, by=["model"]), "baseline") == [None, *["max-needle"] * 3]
    assert column(rows(tmp_path, by=[]), "baseline") == [None, *["max-needle"] * 3]


def test_a_setting_of_the_poolings_own_is_compared_in_one_block(tmp_path: Path) -> None:
    """Rows that differ in k have one baseline."""
    write_seeds(tmp_path, [0.5, 0.6])
    for k in (3, 5):
        write_seeds(tmp_path, [0.5, 0.7], pooling="kmax", k=k)
    assert column(rows(tmp_path), "baseline") == [None, "max", "max"]


def test_a_block_without_the_baseline(tmp_path: Path) -> None:
    """The rows of such a block are compared with its first row."""
    write_seeds(tmp_path, [0.5, 0.6], data="needle")
    for pooling in ("avg", "sum"):
        write_seeds(tmp_path, [0.5, 0.6], pooling=pooling, data="tone")
    assert column(rows(tmp_path), "baseline") == [None, None, "avg-tone"]


def test_studies_can_be_compared_apart(tmp_path: Path) -> None:
    """Several studies have one baseline, unless `by` names the study."""
    for study in ("a", "b"):
        for pooling in ("max", "avg"):
            write_seeds(tmp_path / study, [0.5, 0.6], pooling=pooling)
    studies = tmp_path / "a", tmp_path / "b"
    assert column(rows(*studies), "baseline") == [None, "a/max", "a/max", "a/max"]
    assert column(rows(*studies, by=["study"]), "baseline") == [None, "a/max", None, "b/max"]


def test_errors_name_what_is_allowed(tmp_path: Path) -> None:
    """A metric or a factor that no run has is refused, with the names that exist."""
    write_run(tmp_path, 0.5)
    with pytest.raises(ValueError, match=r"^metric: expected one of test/acc, test/f1, test/loss, got 'test/f2'$"):
        rows(tmp_path, metric="test/f2")
    with pytest.raises(ValueError, match=r"^by: expected one of pooling, data, model, got 'size'$"):
        rows(tmp_path, by=["data", "size"])


def test_whatever_is_on_disk(tmp_path: Path) -> None:
    """Finished, failed, cut short, still running: each costs its own run only, and all are shown."""
    write_seeds(tmp_path, [0.5, 0.6])
    cut_short(write_seeds(tmp_path, [0.5, 0.6, 0.7], pooling="avg")[2])
    write_run(tmp_path, None, pooling="kmax", k=0)
    write_run(tmp_path, pooling="sum", finished=False)
    for seed in range(3):
        write_run(tmp_path, None if seed < 2 else 0.5, pooling="first", seed=seed)
    write_run(tmp_path, pooling="first", seed=3, finished=False)
    (tmp_path / "figures").mkdir()
    found = rows(tmp_path)
    assert {name: row["status"] for name, row in found.items()} == {
        "max": "",
        "avg": "1 failed",
        "kmax-k0": "failed",
        "first": "2 failed, 1 unfinished",
        "sum": "unfinished",
    }
    assert column(found, "seeds") == [2, 2, 0, 1, 0]
    assert found["avg"]["difference"] == pytest.approx(0)
    assert pd.isna(found["kmax-k0"]["mean"])


@pytest.mark.parametrize("metric", ["test/acc", "test/loss"])
def test_a_study_of_failures_only(tmp_path: Path, metric: str) -> None:
    """Failed runs alone give a table without numbers."""
    for pooling in ("max", "kmax"):
        write_run(tmp_path, None, pooling=pooling)
    found = rows(tmp_path, metric=metric)
    assert column(found, "status") == ["failed", "failed"]
    assert column(found, "mean") == column(found, "p") == column(found, "n_params") == [None, None]


def test_a_finished_run_without_the_metric(tmp_path: Path) -> None:
    """Such a run has a row without a value, and the other rows keep theirs."""
    write_seeds(tmp_path, [0.5, 0.6], result={"metrics": {"test/acc": 0.5}})
    write_seeds(tmp_path, [0.5, 0.7], pooling="avg")
    found = rows(tmp_path, metric="test/f1")
    assert column(found, "mean") == [None, pytest.approx(0.6)]
    assert column(found, "verdict") == ["", ""]


def test_the_columns_that_are_promised(tmp_path: Path) -> None:
    """The docstring of `compare` names these columns; the names of the factors are in `attrs`."""
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax", k=5)
    comparison = compare(read(tmp_path))
    assert list(comparison) == [
        *("row", "strategy", "pooling", "data", "model", "pooling.k", "chosen", "seeds", "status"),
        *("metric", "mean", "low", "high", "over", "baseline", "difference", "difference_low", "difference_high", "p"),
        *("verdict", "no_difference", "normalized", "solved", "loss", "seconds"),
        *("n_params", "values_per_filter", "n_test", "majority_accuracy"),
        *("shortcut_accuracy", "bayes_accuracy", "shortcut"),
    ]
    assert comparison.attrs["factors"] == ["pooling", "data", "model", "pooling.k"]
    row = comparison.to_dict("records")[0]
    assert (row["pooling.k"], row["n_params"], row["values_per_filter"], row["n_test"]) == (5, 10818, 1, 100)
    assert isinstance(row["pooling.k"], int)


def test_what_the_runs_share_is_of_a_finished_run(tmp_path: Path) -> None:
    """A failed run does not know the number of parameters; the other runs of its row do."""
    write_run(tmp_path, None, seed=0, result={"n_params": None, "n_test": None})
    write_run(tmp_path, 0.5, seed=1, result={"n_params": 7, "majority_accuracy": 0.25})
    found = rows(tmp_path)["max"]
    assert (found["n_params"], found["n_test"], found["majority_accuracy"]) == (7, 100, 0.25)


@pytest.mark.parametrize(
    ("majority", "best", "normalized"),
    [(0.5, 0.9, 0.75), (None, None, 0.8), (0.5, None, 0.6), (0.9, 0.9, None), (0.9, 0.5, None)],
)
def test_normalized_accuracy(
    tmp_path: Path, majority: float | None, best: float | None, normalized: float | None
) -> None:
    """(0.8 - majority) / (best - majority), with 0 and 1 where these are unknown; NaN where best <= majority."""
    write_run(tmp_path, 0.8, result={"majority_accuracy": majority, "bayes_accuracy": best})
    assert column(rows(tmp_path), "normalized") == [normalized if normalized is None else pytest.approx(normalized)]


def test_the_floor_is_the_strongest_shortcut(tmp_path: Path) -> None:
    """(0.8 - 0.7) / (0.9 - 0.7); what is below the shortcut is negative."""
    limits = {"majority_accuracy": 0.5, "shortcut_accuracy": 0.7, "bayes_accuracy": 0.9}
    write_run(tmp_path, 0.8, result=limits)
    write_run(tmp_path, 0.6, pooling="avg", result=limits)
    assert column(rows(tmp_path), "normalized") == pytest.approx([0.5, -0.5])


def test_other_metrics_are_not_normalized(tmp_path: Path) -> None:
    """The majority guess and the best are accuracies, so other metrics stay as they are."""
    write_run(tmp_path, 0.8, result={"majority_accuracy": 0.5, "bayes_accuracy": 0.9})
    assert rows(tmp_path, metric="test/f1")["max"]["normalized"] == 0.8


@pytest.mark.parametrize("setting", ["k", "pooling.k"])
def test_k_is_shown_where_the_command_set_it(tmp_path: Path, setting: str) -> None:
    """The label shows k if the command set it as `k` or as `pooling.k`, although all runs have the same value."""
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax", settings={setting: 5})
    assert names(tmp_path) == ["kmax-k5"]


def test_k_is_not_shown_where_it_is_the_default(tmp_path: Path) -> None:
    """The label omits a constant value that no command set."""
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax")
    assert names(tmp_path) == ["kmax"]


def test_k_is_shown_where_it_differs(tmp_path: Path) -> None:
    """Both labels show k, also that of the default; runs with equal k are one row."""
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax")
    write_run(tmp_path, pooling="kmax", k=5)
    write_run(tmp_path, pooling="kmax", k=3, seed=2)
    assert names(tmp_path) == ["kmax-k3", "kmax-k5"]
    assert column(rows(tmp_path), "seeds") == [3, 1]


def test_settings_of_one_pooling_are_not_shown_with_another(tmp_path: Path) -> None:
    """The label of max shows no k, and no label shows a setting of another pooling."""
    for pooling in ("max", "kmax", "hierarchical"):
        for k in (3, 5):
            write_run(tmp_path, pooling=pooling, k=k, folder=f"{pooling}-{k}", seed=k)
    write_run(tmp_path, pooling="hierarchical", settings={"pooling.region": 7})
    assert names(tmp_path) == ["max", "kmax-k3", "kmax-k5", "hierarchical-region5", "hierarchical-region7"]


def test_settings_of_one_pooling_do_not_make_names_of_others_longer(tmp_path: Path) -> None:
    """A composition has a setting `pooling.poolings.1.k`; the label of kmax still says `k`."""
    write_run(tmp_path, pooling="kmax", k=5)
    write_run(tmp_path, pooling="max_kmax", k=5)
    assert names(tmp_path) == ["kmax-k5", "max_kmax-k5"]


def test_a_strategy_has_one_name_in_the_whole_study(tmp_path: Path) -> None:
    """One command set k=3 and the other left it at 3: this is one strategy on two data sets."""
    write_run(tmp_path, pooling="kmax", k=3, data="order")
    write_run(tmp_path, pooling="kmax", data="tone")
    found = rows(tmp_path)
    assert list(found) == ["kmax-k3-order", "kmax-k3-tone"]
    assert column(found, "strategy") == ["kmax-k3", "kmax-k3"]


def test_what_differs_is_shown_and_what_does_not_is_not(tmp_path: Path) -> None:
    """A label shows the option of a config group without the group's name, and a setting with its name."""
    for data in ("order", "tone"):
        for filler in (1, 16):
            write_run(tmp_path, data=data, settings={"data.n_filler": filler, "optimizer.lr": 0.1})
    assert names(tmp_path) == [f"max-{data}-n_filler{n}" for data in ("order", "tone") for n in (1, 16)]
    assert column(rows(tmp_path), "strategy") == ["max"] * 4


def test_a_sweep_over_the_seed_of_the_data(tmp_path: Path) -> None:
    """The seed of the data is not that of the training: each value has a row, and the label has the full name."""
    for data_seed in (1, 2):
        write_seeds(tmp_path, [0.5, 0.6], settings={"data.seed": data_seed})
    found = rows(tmp_path)
    assert list(found) == ["max-data.seed1", "max-data.seed2"]
    assert column(found, "seeds") == [2, 2]


def test_an_option_that_begins_with_seed(tmp_path: Path) -> None:
    """A data set called `seedling` is shown like every other one."""
    for data in ("seedling", "order"):
        write_seeds(tmp_path, [0.5, 0.6], data=data)
    assert names(tmp_path) == ["max-seedling", "max-order"]


def test_rows_of_several_studies_carry_the_name_of_theirs(tmp_path: Path) -> None:
    """Equal configurations of two studies are two rows; the strategy is the same."""
    for study in ("a", "b"):
        write_seeds(tmp_path / study, [0.5, 0.6])
    write_run(tmp_path / "b", pooling="avg")
    found = rows(tmp_path / "a", tmp_path / "b")
    assert list(found) == ["a/max", "b/max", "b/avg"]
    assert column(found, "study") == ["a", "b", "b"]
    assert column(found, "strategy") == ["max", "max", "avg"]


def test_rows_are_in_the_order_of_their_first_runs(tmp_path: Path) -> None:
    """Rows are in the order in which the command named them, and not sorted by name."""
    for pooling in ("sum", "avg", "max"):
        write_run(tmp_path, pooling=pooling)
    write_run(tmp_path, pooling="avg", seed=1)
    assert names(tmp_path) == ["sum", "avg", "max"]


def test_a_failed_run_does_not_lengthen_the_names_of_others(tmp_path: Path) -> None:
    """It shows the setting in which it differs; the rows of finished runs, which all have the same value, do not."""
    write_run(tmp_path, 0.5)
    write_run(tmp_path, 0.6, pooling="avg")
    failing: dict[str, Any] = {"optimizer.lr": 1e30}
    write_run(tmp_path, None, **failing)
    assert compare(read(tmp_path))["row"].tolist() == ["max", "avg", "max-lr1e+30"]


def test_what_a_study_has_in_common_is_said_by_its_name(tmp_path: Path) -> None:
    """Two studies of other data: their rows are not named by the data; what differs within one of them is named."""
    for study, data, masks in (("one", "order", ("valid", "none")), ("two", "tone", ("valid",))):
        for mask in masks:
            write_run(tmp_path / study, 0.5, data=data, settings={"model.window_mask": mask})
    found = compare(read([tmp_path / "one", tmp_path / "two"]))
    assert found["row"].tolist() == [
        "one/max-window_mask_valid",
        "one/max-window_mask_none",
        "two/max-window_mask_valid",
    ]
