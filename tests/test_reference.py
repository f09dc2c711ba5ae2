"""The bag-of-words reference: trained on the training split, recorded beside the runs that it is compared with."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import forked
import pandas as pd
import pytest
import yaml
from conftest import ROOT, compose_config, facts_of_command

from textpool.build import build_data
from textpool.commands import reference as command
from textpool.data import Order, TextFileData, Twice
from textpool.record import CONFIG, PREDICTIONS, Result, read_predictions, write_predictions
from textpool.reference import NAME, STRENGTHS, add_reference, fit, hash_test_sentences
from textpool.run.folder import Run, claim
from textpool.study import compare, read

pytestmark = pytest.mark.slow

SMALL = ("data.n_train=200", "data.n_val=60", "data.n_test=60")


def finished(study: Path, *overrides: str, swept: tuple[str, ...] = (), **fields: Any) -> Path:
    """A run as training leaves it, whose model guesses the first class."""
    config, facts = compose_config(*overrides), facts_of_command(*overrides, swept=list(swept))
    folder = study / facts.folder_name
    claim(folder, Run(folder, facts, overrides), config)
    data = build_data(config)
    data.setup()
    targets, n_classes = data.encoded["test"].labels.tolist(), len(data.labels)
    guess = [1.0] + [0.0] * (n_classes - 1)
    write_predictions(folder / PREDICTIONS, data.labels, targets, [guess] * len(targets))
    content: dict[str, Any] = {
        "factors": dict(facts.factors),
        "choices": dict(facts.choices),
        "overrides": dict(facts.overrides),
        "follows_seed": list(facts.follows_seed),
        "metrics": {"test/acc": targets.count(0) / len(targets), "test/loss": 1.0, "val/acc": 0.5, "val/loss": 1.0},
        "n_test": len(targets),
        "test_hash": hash_test_sentences(data),
        "n_params": 10818,
        "values_per_filter": 1,
        "history": {"val/acc": [0.5], "val/loss": [1.0]},
        "group_hash": json.loads((folder / "facts.json").read_text())["group_hash"],
        **fields,
    }
    started = f"2026-01-01T00:00:{len(list(study.iterdir())):02}.000+00:00"
    Result(folder.name, "ok", str(facts.factors["pooling"]), config["seed"], started, 1.5, **content).write(folder)
    return folder


def text_file(folder: Path, n: int = 120) -> str:
    """Sentences of two classes that a word tells apart, and another word that says nothing."""
    path = folder / "mine.txt"
    path.write_text("".join(f"{['neg bad', 'pos good'][i % 2]} film {i // 4}\n" for i in range(n)))
    return str(path)


def references(study: Path) -> dict[str, Result]:
    """The results of the reference, by the names of the runs."""
    results = {path.parent.name: Result.read(path.parent) for path in study.glob("*/result.json")}
    return {name: result for name, result in sorted(results.items()) if result.pooling == NAME}


def test_a_row_beside_the_poolings(tmp_path: Path) -> None:
    """The same factors and seeds as the poolings, with a difference from the baseline and a size of its own."""
    for pooling in ("max", "kmax"):
        for seed in (0, 1):
            overrides = (f"pooling={pooling}", "k=5", f"seed={seed}", "data=twice", *SMALL)
            finished(tmp_path, *overrides, swept=("pooling", "seed"))
    lines = list(add_reference(tmp_path))
    assert [line.split(":")[0] for line in lines] == ["bag_of_words-seed0", "bag_of_words-seed1"]
    rows = {row["row"]: row for row in compare(read(tmp_path)).to_dict("records")}
    assert list(rows) == ["max", "kmax-k5", NAME]
    row = rows[NAME]
    assert (row["seeds"], row["baseline"], row["no_difference"]) == (2, "max", "")
    assert row["difference"] == pytest.approx(row["mean"] - rows["max"]["mean"])
    assert row["mean"] == 1.0  # the counts of the tokens tell once from twice
    assert pd.isna(row["values_per_filter"])
    assert row["data.n_train"] == 200
    one, two = references(tmp_path).values()
    assert (one.metrics, one.config_hash != two.config_hash) == (two.metrics, True)
    assert "pooling.k" not in one.factors
    assert one.history == {}
    assert "scikit-learn" in one.versions


def test_files_of_a_run(tmp_path: Path) -> None:
    """The configuration and the log of the choice; the predictions have the accuracy of the result."""
    finished(tmp_path, "data=text_file", f"data.train={text_file(tmp_path)}")
    list(add_reference(tmp_path))
    [(name, result)] = references(tmp_path).items()
    folder = tmp_path / name
    assert yaml.safe_load((folder / CONFIG).read_text())["pooling"] == {
        "_target_": "sklearn.linear_model.LogisticRegression"
    }
    predictions = read_predictions(folder)
    assert predictions is not None
    assert result.metrics["test/acc"] == sum(predictions[1]) / len(predictions[1]) == 1.0
    assert {metrics["recall"] for metrics in result.per_class.values()} == {1.0}
    with (folder / PREDICTIONS).open() as file:
        rows = list(csv.DictReader(file))
    assert all(row["text"].startswith({"neg": "bad", "pos": "good"}[row["label"]]) for row in rows)
    log = (folder / "train.log").read_text().splitlines()
    assert len(log) == 2 * len(STRENGTHS) + 1
    assert log[-1].startswith("chosen: ")


def test_order_is_not_seen() -> None:
    """A before B and B before A have the same counts: a guess. Once and twice have not."""
    for task, expected in ((Order, 0.5), (Twice, 1.0)):
        data = task(n_train=200, n_val=60, n_test=60)
        data.setup()
        assert fit(data).metrics["test/acc"] == expected


def test_only_the_training_split_is_learned(tmp_path: Path) -> None:
    """Other labels and other words in the test file change no weight: what is left has the same probabilities."""
    train, paths = text_file(tmp_path), [tmp_path / "one.txt", tmp_path / "two.txt"]
    paths[0].write_text("pos good film\nneg bad film\n")
    paths[1].write_text("neg good film\npos bad film\npos unheard unheard\n")
    one, two = (TextFileData(train, test=str(path)) for path in paths)
    one.setup()
    two.setup()
    fits = fit(one), fit(two)
    assert fits[0].probabilities.tolist() == fits[1].probabilities[:2].tolist()
    assert fits[0].metrics["test/acc"] == 1.0
    assert fits[1].metrics["test/acc"] < 0.5
    assert fits[0].n_params == fits[1].n_params


def test_number_of_parameters_by_hand(tmp_path: Path) -> None:
    """One weight per token of the training split and one bias for two classes; as many for each of three classes."""
    (tmp_path / "other.txt").write_text("a x\nb y\n")
    for labels, expected in (("ab", 3 + 1), ("abc", 3 * (3 + 1))):
        (tmp_path / "train.txt").write_text("".join(f"{label} x y x z\n" for label in labels))
        other = str(tmp_path / "other.txt")
        data = TextFileData(str(tmp_path / "train.txt"), test=other, val=other, min_freq=1)
        data.setup()
        assert fit(data).n_params == expected


def test_the_validation_split_chooses(tmp_path: Path) -> None:
    """The first of the models with the highest validation accuracy, and of these the lowest validation loss."""
    train = tmp_path / "train.txt"
    train.write_text("".join(f"{'ab'[i % 2]} w{i % 7} w{i % 5} w{i % 3}\n" for i in range(300)))
    data = TextFileData(str(train), val_fraction=0.2, test_fraction=0.2)
    data.setup()
    found = fit(data)
    tried = {line.split(": ")[0]: line.split(": ")[1] for line in found.tried}
    accuracy = {name: float(line.split()[1]) for name, line in tried.items()}
    loss = {name: float(line.split()[-1]) for name, line in tried.items()}
    assert found.chosen in accuracy
    assert accuracy[found.chosen] == max(accuracy.values()) == pytest.approx(100 * found.metrics["val/acc"], abs=0.01)
    assert loss[found.chosen] == min(loss[name] for name in loss if accuracy[name] == max(accuracy.values()))


def test_finished_rows_stay(tmp_path: Path) -> None:
    """A second command trains only what is new; one after a change of the data replaces the row."""
    path = text_file(tmp_path)
    overrides = ("data=text_file", f"data.train={path}")
    finished(tmp_path, *overrides, "seed=0", swept=("seed",))
    assert len(list(add_reference(tmp_path))) == 1
    before = references(tmp_path)
    finished(tmp_path, *overrides, "seed=1", swept=("seed",))
    lines = list(add_reference(tmp_path))
    assert lines[0] == "bag_of_words-seed0: finished before, nothing to train"
    assert lines[1].startswith("bag_of_words-seed1: ")
    assert references(tmp_path)["bag_of_words-seed0"] == before["bag_of_words-seed0"]
    result = tmp_path / "bag_of_words-seed0" / "result.json"
    result.write_text("{")  # damaged
    assert next(add_reference(tmp_path)).startswith("bag_of_words-seed0: ")
    assert references(tmp_path).keys() == {"bag_of_words-seed0", "bag_of_words-seed1"}


def test_every_comparison_has_its_reference(tmp_path: Path) -> None:
    """Data sets, and settings of the model that tell comparisons apart; names that do not are completed by a hash."""
    for data in ("order", "twice"):
        finished(tmp_path, f"data={data}", *SMALL, swept=("data",))
    finished(tmp_path, "pooling=avg", "model.dropout=0.1", "data=order", *SMALL, swept=("data",))
    list(add_reference(tmp_path))
    comparison = compare(read(tmp_path))
    own = comparison[comparison["pooling"] == NAME]
    assert list(zip(own["data"], own["model.dropout"], own["baseline"], strict=True)) == [
        ("order", 0.3, "max-order-dropout0.3"),
        ("twice", 0.3, "max-twice-dropout0.3"),
        ("order", 0.1, "avg-order-dropout0.1"),
    ]
    names = list(references(tmp_path))
    assert len(names) == 3
    assert {name.rsplit("-", 1)[0] for name in names} == {NAME, "bag_of_words-order"}


def test_data_that_follow_the_seed(tmp_path: Path) -> None:
    """Each seed then has a split of its own, with a fit of its own; they are one row all the same."""
    overrides = ("data=text_file", f"data.train={text_file(tmp_path)}", "data.seed=${seed}")
    for seed in (0, 1):
        finished(tmp_path, *overrides, f"seed={seed}", swept=("seed",))
    list(add_reference(tmp_path))
    one, two = references(tmp_path).values()
    assert one.test_hash != two.test_hash
    assert one.group_hash == two.group_hash
    assert compare(read(tmp_path)).set_index("row").loc[NAME, "seeds"] == 2


def test_a_run_that_tested_a_few_sentences(tmp_path: Path) -> None:
    """A quick try with `debug=one_batch` is no reason to refuse; the reference itself is tested on all sentences."""
    overrides = ("data=text_file", f"data.train={text_file(tmp_path)}")
    data = build_data(compose_config(*overrides))
    data.setup()
    finished(tmp_path, *overrides, n_test=5, test_hash=hash_test_sentences(data, 5))
    list(add_reference(tmp_path))
    [result] = references(tmp_path).values()
    assert (result.n_test, result.test_hash) == (12, hash_test_sentences(data))


def test_what_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without runs, a study without a finished one, data that are gone or changed, no scikit-learn."""

    def refusal() -> str:
        monkeypatch.setattr(sys, "argv", ["reference", str(tmp_path)])
        with pytest.raises(SystemExit) as refused:
            command.main()
        return str(refused.value)

    assert (
        refusal()
        == f"error: {tmp_path}: no run in this folder: expected folders with a result.json, such as {tmp_path}/max"
    )
    path = text_file(tmp_path)
    run = finished(tmp_path, "data=text_file", f"data.train={path}")
    content = (run / "result.json").read_text()
    (run / "result.json").unlink()
    assert refusal() == f"error: {tmp_path}: no finished run in this study, which the reference could be compared with"
    (run / "result.json").write_text(content)
    Path(path).write_text(Path(path).read_text().replace("film", "movie"))
    assert refusal() == f"error: {run}: its test sentences are no longer those of its data: repeat the run"
    Path(path).unlink()
    assert refusal().startswith(f"error: {run}: its data cannot be loaded: {path}: no such file")
    assert not references(tmp_path)
    assert not list(tmp_path.glob(f"{NAME}*"))
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert refusal() == (
        "error: scikit-learn is not installed: pip install 'textpool[reference]', in a clone '.[reference]'"
    )


def test_a_module_must_be_allowed(tmp_path: Path) -> None:
    """A configuration names classes, and loading the data runs their code, as with a checkpoint."""
    run = finished(tmp_path, "data=order", *SMALL)
    config = yaml.safe_load((run / CONFIG).read_text())
    config["data"]["_target_"] = "subprocess.Popen"
    (run / CONFIG).write_text(yaml.safe_dump(config))
    with pytest.raises(
        ValueError, match=r"subprocess\.Popen is not of textpool, torch, lightning.* --allow subprocess"
    ):
        list(add_reference(tmp_path))


@pytest.mark.slow
def test_a_sweep_goes_on_after_the_reference(tmp_path: Path) -> None:
    """The command shows its row; a later sweep into the study is not disturbed, and its table has the row too."""
    arguments = ("data=twice", *SMALL, "trainer.max_epochs=1", "study=mine")
    assert forked.run(ROOT / "scripts" / "train.py", ["-m", "pooling=max,avg", *arguments], tmp_path).returncode == 0
    done = forked.run(ROOT / "scripts" / "reference.py", ["logs/mine"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bag_of_words: " in done.stdout
    assert (tmp_path / "logs" / "mine" / "comparison.md").read_text().count("| bag_of_words ") == 1
    again = forked.run(
        ROOT / "scripts" / "train.py", ["-m", "pooling=max,avg,sum", "baseline=bag_of_words", *arguments], tmp_path
    )
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished before") == 2
    table = (tmp_path / "logs" / "mine" / "comparison.md").read_text()
    assert "difference from bag_of_words" in table
    assert "| sum " in table
