"""Facts of runs, and the names made of them."""

from typing import Any

import pytest
from conftest import Compose, facts_of_command
from hypothesis import given
from hypothesis import strategies as st

from textpool.facts import (
    Facts,
    config_hash,
    differences,
    flatten,
    group_hash,
    hyperparameters,
    label,
    named,
    setting_in_words,
    short_names,
    value_of,
)


@pytest.mark.parametrize(
    ("overrides", "swept", "name"),
    [
        ([], None, "max"),
        (["pooling=kmax"], ["pooling"], "kmax"),
        (["pooling=kmax", "k=5"], ["k"], "kmax-k5"),
        (["pooling=kmax", "k=5", "seed=1"], ["pooling", "k", "seed"], "kmax-k5-seed1"),
        (["pooling=kmax", "seed=1", "k=5"], ["seed"], "kmax-k5-seed1"),
        (["pooling=kmax", "pooling.k=5"], None, "kmax-k5"),
        (["pooling=max", "k=5", "seed=1"], ["pooling", "k", "seed"], "max-seed1"),
        (["pooling=local_max", "k=5", "pooling.region=20"], None, "local_max-k5-region20"),
        (["optimizer.lr=0.1", "seed=1"], ["seed"], "max-seed1"),
        (["optimizer.lr=1e-3"], None, "max-lr0.001"),
        (["optimizer=adamw"], None, "max-adamw"),
        (["data=sentiment"], None, "max-sentiment"),
        (["data=order", "data.n_filler=16"], ["data", "data.n_filler"], "max-order-n_filler16"),
        (["model.window_mask=none"], None, "max-window_mask_none"),
        (["model.kernel_sizes=[2,3]"], None, "max-kernel_sizes_2_3"),
        (["data.max_length=null"], None, "max-max_length_null"),
        (["study=mine", "overwrite=true", "experiment=lesson", "threads=2"], None, "max"),
        (["+trainer.precision=bf16-mixed"], ["trainer.precision"], "max-precision_bf16_mixed"),
        (["~logger", "k=5"], None, "max"),
        (["monitor=val/loss", "mode=min"], None, "max-monitor_val_loss-mode_min"),
        (["data=text_file", "data.train=../my file.csv"], None, "max-text_file-train_my_file.csv_417a"),
        (["seed=1"], ["seed"], "max-seed1"),
        (["data=text_file", "data.train=a.txt", "data.folds=5", "data.fold=2"], ["data.fold"], "max-fold2"),
        (["data.seed=1"], ["data.seed"], "max-data.seed1"),
        (["data.seed=${seed}", "seed=1"], ["seed"], "max-seed1"),
    ],
)
def test_folder_names(overrides: list[str], swept: list[str] | None, name: str) -> None:
    """Folder names hold the pooling and what was swept, and are the same for commands that mean the same."""
    assert facts_of_command(*overrides, swept=swept).folder_name == name


def test_the_seed_of_the_data_is_not_the_seed_of_the_training() -> None:
    """`seed=1` and `data.seed=1` are different runs: they have different folders and different factors."""
    training, data = facts_of_command("seed=1"), facts_of_command("data.seed=1")
    assert training.folder_name != data.folder_name
    assert (training.seed, data.seed) == (1, 42)
    assert "data.seed" not in training.factors
    assert data.factors["data.seed"] == 1


def test_factors_of_a_run() -> None:
    """Pooling with its own settings as used, data, model and what the command set; not the seed, not the study."""
    facts = facts_of_command("pooling=local_avg", "k=5", "seed=3", "optimizer.lr=0.1", "study=mine", "data=order")
    assert facts.factors == {
        "pooling": "local_avg",
        "data": "order",
        "model": "textcnn",
        "pooling.k": 5,
        "pooling.region": 10,
        "optimizer.lr": 0.1,
    }
    assert (facts.seed, facts.choices["optimizer"]) == (3, "adam")


def test_settings_of_a_nested_pooling_are_factors() -> None:
    """A pooling made of others depends on k where one of them does."""
    parts = "pooling.poolings=[{_target_:textpool.pooling.KMax,_partial_:true,k:${k}}]"
    three, five = (facts_of_command("pooling=max_avg", parts, f"k={k}") for k in (3, 5))
    assert (three.factors["pooling.poolings.0.k"], five.factors["pooling.poolings.0.k"]) == (3, 5)
    assert three.folder_name != five.folder_name


def test_what_follows_the_seed_is_no_factor() -> None:
    """Data drawn anew with each seed belong to the same configuration: the seed is what tells them apart."""
    runs = [facts_of_command("data.seed=${seed}", f"seed={seed}", swept=["seed"]) for seed in range(3)]
    assert [run.factors for run in runs] == [runs[0].factors] * 3
    assert all(set(run.follows_seed) == {"data.seed", "data.shuffle_seed"} for run in runs)
    assert [run.folder_name for run in runs] == ["max-seed0", "max-seed1", "max-seed2"]


def test_long_names_differ_and_keep_the_factors() -> None:
    """A name that is cut stays unique; the factors, by which rows are grouped, are the same for every seed."""
    path = "data.tokens='" + "long" * 30 + "'"
    runs = [facts_of_command("data=text_file", "data.train=a.txt", path, f"seed={seed}") for seed in range(3)]
    assert len({run.folder_name for run in runs}) == 3
    assert all(len(run.folder_name) <= 80 for run in runs)
    assert [run.factors for run in runs] == [runs[0].factors] * 3


def test_values_that_differ_in_replaced_characters_have_different_names() -> None:
    """File systems do not take every character: where one is replaced, a hash tells the values apart."""
    names = {label({"pooling": "max", "data.x": value}, ["data.x"]) for value in ("a|b", "a&b", "a_b", "en/x", "de/x")}
    assert len(names) == 5


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300))
def test_names_fit_every_file_system(value: str) -> None:
    """Whatever a value holds, the folder name is short and has no character that a file system refuses."""
    facts = Facts({"pooling": "max", "data.train": value}, 1, {"data.train": value})
    assert 0 < len(facts.folder_name) <= 80
    assert not set(facts.folder_name) & set("=/ :*?\"'<>|,\\\n\r")


def test_names_of_many_bytes_are_cut() -> None:
    """80 characters of four bytes each are more than a file system takes."""
    texts = [f"{chr(0x1D54F) * 70}{end}" for end in "ab"]
    settings = ["data=text_file", "data.train=x"]
    names = [facts_of_command(f"data.tokens='{text}'", *settings).folder_name for text in texts]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 200 for name in names)


def test_short_names_are_unambiguous() -> None:
    """The shortest end of a dotted name that no other name shares; `seed` always means that of the training."""
    names = ["data.n_filler", "data.seed", "model.dropout", "a.dropout", "pooling.k", "pooling.poolings.0.k"]
    assert short_names(names) == {
        "data.n_filler": "n_filler",
        "data.seed": "data.seed",
        "model.dropout": "model.dropout",
        "a.dropout": "a.dropout",
        "pooling.k": "pooling.k",
        "pooling.poolings.0.k": "0.k",
        "seed": "seed",
    }


def test_a_shared_setting_is_named_as_the_poolings_own() -> None:
    """`k=5` and `pooling.k=5` both name the setting of the pooling; other overrides do not."""
    factors = ["pooling", "data", "pooling.k", "pooling.region"]
    assert named({"k": 5, "seed": 1}, factors) == ["pooling.k"]
    assert named({"pooling.region": 3}, factors) == ["pooling.region"]
    assert named({"data": "order"}, factors) == []


def test_headings() -> None:
    """An option of a config group stands alone, a setting behind its short name."""
    names = ["data", "data.n_filler"]
    assert setting_in_words("data", "order", names) == "order"
    assert setting_in_words("data.n_filler", 16, names) == "n_filler 16"
    assert setting_in_words("data.n_filler", None, names) == "n_filler none"


def test_flatten() -> None:
    """Nested settings by dotted names; lists of plain values are one value, Hydra's own keys are left out."""
    settings = {"_target_": "x", "a": {"b": 1, "c": [1, 2]}, "d": [{"_target_": "y", "k": 3}, {"k": None}]}
    assert flatten(settings) == {"a.b": 1, "a.c": "[1,2]", "d.0.k": 3, "d.1.k": None}


def test_hyperparameters_are_the_same_columns_in_every_run_of_a_sweep() -> None:
    """TensorBoard takes the columns of one run for all; what a run has no value for is None."""
    swept = ["pooling", "k", "data.n_filler"]
    kmax = facts_of_command("pooling=kmax", "k=5", "data=order", "data.n_filler=4", swept=swept)
    maximum = facts_of_command("pooling=max", "k=5", "data=order", "data.n_filler=4", swept=swept)
    config = {"optimizer": {"lr": 0.1}}
    expected: dict[str, Any] = {"pooling": "kmax", "k": 5, "seed": 42, "lr": 0.1, "n_filler": 4}
    assert hyperparameters(kmax, config) == expected
    assert hyperparameters(maximum, config) == {**expected, "pooling": "max", "k": None}


def test_hash_of_what_decides() -> None:
    """Equal for configurations that mean the same: neither the order of keys nor the study nor an unused k counts."""
    config = {"seed": 1, "pooling": {"k": 3}, "k": 3, "study": "a", "overwrite": False}
    assert config_hash(config) == config_hash({"overwrite": True, "study": "b", "pooling": {"k": 3}, "seed": 1, "k": 5})
    assert config_hash(config) != config_hash({**config, "seed": 2})
    assert config_hash(config) != config_hash({**config, "pooling": {"k": 5}})


@pytest.mark.parametrize("data", ["needle", "tone", "proportion", "sentiment"])
def test_runs_from_before_a_setting_was_added(config: Compose, data: str) -> None:
    """Their configuration lacks it, and means the same as its default today: a finished study is not trained again.

    The test lengths of `needle` are none of the added settings: every run has them.
    """
    today = config(f"data={data}")
    old = {**today, "data": {**today["data"]}}
    del old["compile"]
    for name in ("test_lengths", "fewest"):
        if data != "needle" or name == "fewest":
            old["data"].pop(name, None)
    assert config_hash(old) == config_hash(today)
    assert group_hash(old, []) == group_hash(today, [])
    assert differences(old, today) == []
    for name in ("compile", "data.test_lengths", *(["data.fewest"] if data == "proportion" else [])):
        assert value_of(name, {}, old) == value_of(name, {}, today)


@pytest.mark.parametrize("override", ["data.test_lengths=[30,40]", "data.fewest=0"])
def test_an_added_setting_with_another_value_is_another_run(config: Compose, override: str) -> None:
    """It decides the numbers like every other setting."""
    usual, other = config("data=proportion"), config("data=proportion", override)
    assert config_hash(usual) != config_hash(other)
    assert [name for name, *_ in differences(usual, other)] == [override.split("=")[0]]


def test_hash_of_a_group() -> None:
    """Equal for runs that differ in the seed and in what follows it, and in nothing else."""
    one, other = ({"seed": seed, "data": {"seed": seed, "n": 3}} for seed in (1, 2))
    assert group_hash(one, ["data.seed"]) == group_hash(other, ["data.seed"])
    assert group_hash(one, []) != group_hash(other, [])
    assert group_hash(one, ["data.seed"]) != group_hash({**one, "data": {"seed": 1, "n": 4}}, ["data.seed"])


def test_differences_are_named() -> None:
    """By the name that an override would take; settings without influence on the numbers do not count."""
    before, after = {"a": {"b": 1, "c": 2}, "d": 3, "study": "x"}, {"a": {"b": 1, "c": 5}, "e": {"f": 1}, "study": "y"}
    assert differences(before, after) == [("a.c", 2, 5), ("d", 3, None), ("e.f", None, 1)]
