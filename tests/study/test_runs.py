"""Reading runs from disk: one row per run with facts of the right type, whatever state the files are in."""

import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from runs_on_disk import cut_short, forget, write_run, write_seeds

from textpool.study.comparison import compare
from textpool.study.runs import factor_names, read


def names_and_seeds(study: Path) -> dict[str, int]:
    """The rows of the comparison, and their numbers of finished seeds."""
    comparison = compare(read(study))
    return dict(zip(comparison["row"], comparison["seeds"], strict=True))


def test_one_row_per_run_in_the_order_of_their_starts(tmp_path: Path) -> None:
    """Facts, fields of the result and metrics are columns; folders are sorted by name, runs by their start."""
    study = tmp_path / "first"
    write_run(study, 0.75, seed=7)
    write_run(study, 0.5, pooling="avg")
    runs = read(study)
    assert runs["run"].tolist() == ["max-seed7", "avg"]
    assert runs["folder"].tolist() == [study / "max-seed7", study / "avg"]
    assert runs["study"].tolist() == ["first", "first"]
    assert runs["status"].tolist() == ["ok", "ok"]
    assert runs["pooling"].tolist() == ["max", "avg"]
    assert runs["seed"].tolist() == [7, 0]
    assert runs["test/acc"].tolist() == [0.75, 0.5]
    assert runs["test/loss"].tolist() == [0.25, 0.5]
    assert factor_names(runs) == ["pooling", "data", "model"]


@pytest.mark.parametrize("as_text", [True, False])
def test_studies_are_read_one_after_the_other(tmp_path: Path, as_text: bool) -> None:
    """`read` takes one folder or several, as paths or as text."""
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", pooling="avg")
    folders = [str(tmp_path / name) if as_text else tmp_path / name for name in ("a", "b")]
    assert read(folders)["study"].tolist() == ["a", "b"]
    assert read(folders[0])["study"].tolist() == ["a"]


def test_integers_stay_integers(tmp_path: Path) -> None:
    """A factor or a number that some runs lack does not become 5.0 in the others."""
    write_run(tmp_path, 0.5, pooling="kmax", k=5)
    write_run(tmp_path, 0.5)
    write_run(tmp_path, None, pooling="avg", result={"seed": None, "n_params": None})
    runs = read(tmp_path)
    assert runs["pooling.k"].tolist() == [5, None, None]
    assert isinstance(runs["pooling.k"][0], int)
    assert str(runs["n_params"].dtype) == str(runs["seed"].dtype) == "Int64"
    assert runs["n_params"].isna().tolist() == [False, False, True]


def test_a_factor_that_one_command_named_is_filled_in_the_other_runs(tmp_path: Path) -> None:
    """A setting is filled from the configuration of the other runs, a config group from their choices."""
    write_run(tmp_path)
    write_run(tmp_path, settings={"data.n_filler": 16, "optimizer": "adamw"})
    runs = read(tmp_path)
    assert runs["data.n_filler"].tolist() == [1, 16]
    assert isinstance(runs["data.n_filler"][0], int)
    assert runs["optimizer"].tolist() == ["adam", "adamw"]


@pytest.mark.parametrize("content", [None, b"[", b"\xff\xfe", b"3", b""])
def test_a_configuration_that_cannot_be_read_costs_its_own_values_only(tmp_path: Path, content: bytes | None) -> None:
    """A factor that another command named is missing in this run."""
    run = write_run(tmp_path)
    write_run(tmp_path, settings={"data.n_filler": 16})
    write_run(tmp_path, pooling="avg")
    (run / "config.yaml").unlink() if content is None else (run / "config.yaml").write_bytes(content)
    assert read(tmp_path)["data.n_filler"].tolist() == [None, 16, 1]


def test_a_missing_configuration_does_not_make_factors_of_all_settings(tmp_path: Path) -> None:
    """An empty configuration differs from the others in every setting; these differences are ignored."""
    run = write_run(tmp_path)
    write_run(tmp_path, seed=1, defaults={"model.dropout": 0.1})
    (run / "config.yaml").unlink()
    assert factor_names(read(tmp_path)) == ["pooling", "data", "model"]


def test_a_factor_can_be_asked_for(tmp_path: Path) -> None:
    """A setting that no command named is a column on request."""
    write_run(tmp_path)
    assert "data.n_filler" not in read(tmp_path)
    runs = read(tmp_path, factors=["data.n_filler"])
    assert runs["data.n_filler"].tolist() == [1]
    assert factor_names(runs)[-1] == "data.n_filler"


def test_runs_before_and_after_a_default_was_edited_are_two_rows(tmp_path: Path) -> None:
    """No command named the setting, but the configurations differ: their mean would be a silent average."""
    write_seeds(tmp_path, [0.5, 0.6])
    write_run(tmp_path, 0.9, seed=2, defaults={"model.dropout": 0.1})
    runs = read(tmp_path)
    assert runs["model.dropout"].tolist() == [0.5, 0.5, 0.1]
    assert factor_names(runs) == ["pooling", "data", "model", "model.dropout"]  # not shuffle_seed, which differs too
    assert names_and_seeds(tmp_path) == {"max-dropout0.5": 2, "max-dropout0.1": 1}


def test_a_strategy_before_and_after_its_class_was_exchanged_is_two_rows(tmp_path: Path) -> None:
    """The class of a pooling is no setting of its own, and still tells two configurations apart."""
    write_run(tmp_path, 0.5, pooling="mine", seed=0)
    write_run(tmp_path, 0.6, pooling="mine", seed=1, defaults={"pooling._target_": "other"})
    assert names_and_seeds(tmp_path) == {"mine-target_mine": 1, "mine-target_other": 1}


def test_settings_that_follow_the_seed_do_not_split_rows(tmp_path: Path) -> None:
    """`seed=0,1,2 data.seed=${seed}` is one configuration with three seeds."""
    write_seeds(tmp_path, [0.5, 0.6, 0.7], settings={"data.seed": "${seed}"})
    runs = read(tmp_path)
    assert runs["follows_seed"].tolist() == [["data.seed", "data.shuffle_seed"]] * 3
    assert "data.seed" not in runs
    assert names_and_seeds(tmp_path) == {"max": 3}


def test_a_setting_that_follows_the_seed_in_some_runs_only(tmp_path: Path) -> None:
    """The setting separates these runs from a run with a fixed value, but not from each other."""
    write_seeds(tmp_path, [0.5, 0.6, 0.7], settings={"data.seed": "${seed}"})
    write_run(tmp_path, 0.9, settings={"data.seed": 7})
    assert read(tmp_path)["data.seed"].tolist() == ["follows the seed"] * 3 + [7]
    assert names_and_seeds(tmp_path) == {"max-data.seed_follows_the_seed": 3, "max-data.seed7": 1}


def test_an_unfinished_run_is_in_the_row_of_its_facts(tmp_path: Path) -> None:
    """A run that was killed leaves its configuration and its facts only."""
    write_seeds(tmp_path, [0.5, 0.6], pooling="kmax", k=5)
    write_run(tmp_path, pooling="kmax", k=5, seed=2, finished=False)
    write_run(tmp_path, pooling="kmax", k=8, finished=False)
    runs = read(tmp_path)
    assert runs["status"].tolist() == ["ok", "ok", "unfinished", "unfinished"]
    assert dict(zip(runs["run"], runs["seed"], strict=True))["kmax-k5-seed2"] == 2
    comparison = compare(runs)
    assert comparison["row"].tolist() == ["kmax-k5", "kmax-k8"]
    assert comparison["status"].tolist() == ["1 unfinished", "unfinished"]
    assert comparison["seeds"].tolist() == [2, 0]


@pytest.mark.parametrize("text", ['{"run": "max", "sta', "", "[]", "null", '{"metrics": {}}', "\x00"])
def test_a_damaged_result_costs_its_own_run_only(tmp_path: Path, text: str) -> None:
    """The run is told by its facts and counted as failed, with the name of the file as the reason."""
    write_seeds(tmp_path, [0.5, 0.6, 0.7])
    (tmp_path / "max-seed1" / "result.json").write_text(text)
    runs = read(tmp_path)
    assert runs["run"].tolist() == ["max-seed0", "max-seed2", "max-seed1"]
    assert runs["status"].tolist() == ["ok", "ok", "failed"]
    assert f"{tmp_path}/max-seed1/result.json: not the result of a run" in runs["error"][2]
    [row] = compare(runs).to_dict("records")
    assert (row["row"], row["seeds"], row["status"]) == ("max", 2, "1 failed")
    assert row["mean"] == pytest.approx(0.6)  # of 0.5 and 0.7


def test_a_result_of_an_earlier_version_says_what_to_do(tmp_path: Path) -> None:
    """A result without factors has a row of its own, named like its folder, and its error says what to do."""
    write_run(tmp_path, 0.5)
    write_run(tmp_path, 0.6, pooling="avg")
    forget(write_run(tmp_path, 0.7, pooling="kmax", folder="kmax-k3-seed1"))
    runs = read(tmp_path)
    assert "overwrite=true" in runs["error"][2]
    comparison = compare(runs)
    assert comparison["row"].tolist() == ["max", "avg", "kmax-k3-seed1"]
    assert comparison["status"].tolist() == ["", "", "failed"]


@pytest.mark.parametrize("facts", [None, "{", "[]", '{"factors": {"pooling": "kmax"}}'])
def test_a_run_of_which_only_the_folder_is_known(tmp_path: Path, facts: str | None) -> None:
    """Its row has the name of the folder, and the labels of the other rows are as without it."""
    for data in ("order", "tone"):
        write_run(tmp_path, data=data)
    lost = write_run(tmp_path, pooling="kmax", folder="lost", finished=False)
    (lost / "facts.json").unlink() if facts is None else (lost / "facts.json").write_text(facts)
    runs = read(tmp_path)
    assert runs["status"].tolist() == ["ok", "ok", "unfinished"]
    assert runs["model"].tolist() == ["textcnn"] * 3  # as in all other runs
    assert runs["data"].tolist() == ["order", "tone", None]
    comparison = compare(runs)
    assert comparison["row"].tolist() == ["max-order", "max-tone", "lost"]
    assert comparison["strategy"].tolist() == ["max", "max", ""]


def test_a_study_of_which_nothing_is_known(tmp_path: Path) -> None:
    """Runs of an earlier version only are a table too."""
    for pooling in ("max", "avg"):
        forget(write_run(tmp_path, pooling=pooling))
    assert compare(read(tmp_path))["row"].tolist() == ["avg", "max"]


@pytest.mark.parametrize("content", [(), ("figures/accuracy.png", "comparison.md")])
def test_a_folder_without_runs(tmp_path: Path, content: Sequence[str]) -> None:
    """The error names the folder, and says what belongs in it."""
    for name in content:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=rf"{tmp_path}: no run in this folder: expected folders with a result\.json"):
        read(tmp_path)


def test_other_folders_of_a_study_are_no_runs(tmp_path: Path) -> None:
    """The folder of figures is not a run, nor is the staging folder of a run that replaces another one."""
    run = write_run(tmp_path, 0.5)
    (tmp_path / "figures").mkdir()
    write_run(run / ".replacement", 0.9, folder=run.name)
    assert read(tmp_path)["test/acc"].tolist() == [0.5]


def test_a_folder_name_is_never_read(tmp_path: Path) -> None:
    """Where the facts and the name of the folder differ, the facts are used."""
    write_run(tmp_path, pooling="kmax", k=5, seed=3, folder="avg-k9-seed8")
    runs = read(tmp_path)
    assert runs["seed"].tolist() == [3]
    assert compare(runs)["row"].tolist() == ["kmax-k5"]


def test_names_over_80_characters_do_not_split_rows(tmp_path: Path) -> None:
    """The folder's name is cut and ends in a hash, which differs from seed to seed; the facts are equal."""
    long = f"{'l' * 90}.csv"
    folders = write_seeds(tmp_path, [0.5, 0.6, 0.7], settings={"data.train": long})
    assert {len(folder.name) for folder in folders} == {79}  # 70 characters, a hyphen and a hash of 8
    assert len({folder.name.rpartition("-")[0] for folder in folders}) == 1
    assert not any("seed" in folder.name for folder in folders)
    assert names_and_seeds(tmp_path) == {"max": 3}
    write_run(tmp_path, 0.5)
    assert names_and_seeds(tmp_path) == {f"max-train_{long}": 3, "max-train_null": 1}


def test_metrics_that_only_some_runs_have(tmp_path: Path) -> None:
    """A metric is missing in the runs that lack it, and its column has the type float."""
    write_run(tmp_path, None)
    write_run(tmp_path, 0.5, pooling="avg", result={"metrics": {"test/acc": 0.5}})
    write_run(tmp_path, 0.5, pooling="sum", result={"metrics": {"val/acc": 1}})
    runs = read(tmp_path)
    assert runs["test/acc"].isna().tolist() == [True, False, True]
    assert runs["val/acc"].isna().tolist() == [True, True, False]
    assert {str(runs[name].dtype) for name in ("test/acc", "val/acc")} == {"float64"}


def test_a_study_of_failures_has_no_metrics(tmp_path: Path) -> None:
    """A table of runs without any metric can be read."""
    write_run(tmp_path, None)
    runs = read(tmp_path)
    assert runs["status"].tolist() == ["failed"]
    assert not [name for name in runs if "/" in str(name)]


def test_a_run_without_result_is_no_older_than_the_others(tmp_path: Path) -> None:
    """A run whose start is unknown is the last row."""
    cut_short(write_run(tmp_path))
    write_run(tmp_path, pooling="avg")
    assert read(tmp_path)["run"].tolist() == ["avg", "max"]


def test_the_package_gives_functions_whatever_was_imported_before() -> None:
    """A module of the name of a function would hide it once it is imported."""
    from textpool import study

    for module in sorted(Path(study.__file__ or "").parent.glob("*.py")):
        assert module.stem not in study.__all__
        importlib.import_module(f"textpool.study.{module.stem}")
    for name in study.__all__:
        assert getattr(study, name).__name__ == name
        assert callable(getattr(study, name))
    with pytest.raises(AttributeError, match="nothing"):
        _ = study.nothing


def test_the_package_can_be_used_as_in_its_docstring(tmp_path: Path) -> None:
    """`read`, `compare` and `pivot` work together as in a notebook."""
    from textpool.study import compare, pivot, read

    for data in ("order", "tone"):
        write_run(tmp_path, 0.5, data=data)
    overview = pivot(compare(read(tmp_path)))
    assert isinstance(overview, pd.DataFrame)
    assert overview.loc["max"].to_dict() == {"order": 0.5, "tone": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["textpool.study", "textpool.run.launch"], ["torch", "lightning", "pandas", "matplotlib", "scipy"]),
        (["textpool.study.report", "textpool.study.figures", "textpool.study.heatmap"], ["torch", "lightning"]),
    ],
)
def test_imports_are_fast(modules: list[str], absent: list[str]) -> None:
    """--help, errors in overrides and tables must not wait for libraries that take seconds to import."""
    code = f"import json, sys, {', '.join(modules)}; print(json.dumps([n for n in {absent} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.slow
def test_the_first_import_of_the_package_gives_functions() -> None:
    """The test needs a process of its own, in which no module of the package was imported before."""
    code = "from textpool.study import compare, pivot, read; print(compare.__name__, pivot.__name__, read.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["compare", "pivot", "read"]
