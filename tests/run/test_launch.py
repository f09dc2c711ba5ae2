"""Between Hydra and a run: the parts that need no training; tests/test_scripts.py runs the whole."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import CONF
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from textpool.run import launch
from textpool.run.sweep import Sweep


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(overrides), return_hydra_config=True)


def test_the_folder_of_a_run_is_made_from_its_facts() -> None:
    """Study and name, for a single run and for a job of a sweep."""
    config = composed("pooling=kmax", "k=5", "seed=3", "study=mine")
    assert config.hydra.run.dir == "logs/mine/kmax-k5-seed3"
    swept = composed("pooling=kmax", "k=5", "optimizer.lr=0.1", "study=mine", "hydra.callbacks.study.swept=[pooling]")
    assert (swept.hydra.sweep.dir, swept.hydra.sweep.subdir) == ("logs/mine", "kmax-k5")


def test_a_configuration_as_plain_data() -> None:
    """Without Hydra's section, interpolations resolved; a missing value is an error where all must be there."""
    config = composed("data=text_file")
    plain = launch.resolved(config)
    assert "hydra" not in plain
    assert (plain["data"]["train"], plain["data"]["shuffle_seed"]) == ("???", 42)
    with pytest.raises(MissingMandatoryValue, match="train"):
        launch.resolved(config, complete=True)


@pytest.mark.parametrize(
    ("overrides", "refused"),
    [
        (["trainer.devices=2"], True),
        (["trainer.devices=2", "+trainer.strategy=ddp"], True),
        (["trainer.devices=2", "+trainer.strategy=ddp_spawn"], False),
        (["trainer.devices=1"], False),
    ],
)
def test_relaunching_strategies_are_refused(overrides: list[str], refused: bool) -> None:
    """Lightning's ddp starts the whole command again on each device, a sweep included."""
    if refused:
        with pytest.raises(SystemExit, match="devices: expected 1"):
            launch.refuse_relaunch(composed(*overrides))
    else:
        launch.refuse_relaunch(composed(*overrides))


def test_options_of_a_group_come_from_every_folder(tmp_path: Path) -> None:
    """Also from a user's own: a sweep over all of them counts its jobs by them."""
    (tmp_path / "pooling").mkdir()
    (tmp_path / "pooling" / "mine.yaml").write_text("_target_: mine.Mine\n")
    sources = [{"path": str(path), "schema": "file"} for path in (CONF, tmp_path)]
    config = OmegaConf.create({"hydra": {"runtime": {"config_sources": [*sources, {"path": "x", "schema": "pkg"}]}}})
    found = launch.options(config, "pooling")
    assert {"mine", "max", "kmax"} <= set(found)
    assert found == sorted(found)


def test_an_interrupted_sweep_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once it has begun a run, and only if it has not come to its end."""
    reported: list[Path] = []
    monkeypatch.setattr(launch, "report_study", lambda study, config: reported.append(study))
    monkeypatch.setattr(launch, "CONTINUE", [": the same command continues it"])
    callback = launch.StudyCallback()
    callback.sweep = Sweep(tmp_path, 5.0)
    callback.report_if_interrupted(tmp_path, OmegaConf.create({"baseline": "max"}))
    assert reported == []
    callback.sweep.begin("max")
    callback.report_if_interrupted(tmp_path, OmegaConf.create({"baseline": "max"}))
    assert reported == [tmp_path]
    assert capsys.readouterr().err == "\ninterrupted: the same command continues it\n"
    callback.reported = True
    callback.report_if_interrupted(tmp_path, OmegaConf.create({"baseline": "max"}))
    assert reported == [tmp_path]


def test_a_study_that_cannot_be_written(tmp_path: Path) -> None:
    """A file in the place of a folder; a disk that is read-only is tried in `test_machine.py`."""
    launch.refuse_unwritable(tmp_path / "logs" / "mine")
    assert not list(tmp_path.iterdir())
    (tmp_path / "logs").write_text("")
    with pytest.raises(SystemExit, match=r"logs: expected a folder that can be written, for the files of .*mine"):
        launch.refuse_unwritable(tmp_path / "logs" / "mine")


def test_how_an_interrupted_command_continues() -> None:
    """A study that is named after the time needs this name; one that has a name of its own does not."""
    assert launch.how_to_continue(composed("study=mine")) == ": the same command continues it"
    assert launch.how_to_continue(composed("experiment=padding")) == ": the same command continues it"
    assert re.fullmatch(r": the same command with study=[\d_-]+ continues it", launch.how_to_continue(composed()))


def test_an_interruption_has_several_forms() -> None:
    """Ctrl-C, and what Lightning makes of it; a failed run also ends with SystemExit."""

    def ended(error: BaseException) -> SystemExit:
        try:
            try:
                raise error
            except BaseException:
                sys.exit(1)
        except SystemExit as exit:
            return exit

    assert launch.is_interruption(KeyboardInterrupt())
    assert launch.is_interruption(ended(KeyboardInterrupt()))
    assert not launch.is_interruption(ended(ValueError()))
    assert not launch.is_interruption(SystemExit(1))


@pytest.mark.parametrize(
    ("baseline", "poolings", "refused"),
    [
        ("nope", ["max", "avg"], True),
        ("kma", ["max", "kmax"], True),
        ("avg", ["max", "avg"], False),
        ("kmax-k5", ["max", "kmax"], False),  # the name of a row
        ("sum", ["max"], False),  # a run that is in the study already
        (None, ["avg", "kmax"], False),  # the default is not asked for
    ],
)
def test_a_baseline_that_is_no_row(tmp_path: Path, baseline: str | None, poolings: list[str], refused: bool) -> None:
    """Refused before hours of training, not replaced by another one silently."""
    (tmp_path / "sum-seed0").mkdir()
    (tmp_path / "sum-seed0" / "config.yaml").write_text("seed: 0\n")
    config = composed(*([f"baseline={baseline}"] if baseline else []))
    if refused:
        with pytest.raises(SystemExit, match=rf"^error: baseline: expected one of max, .*, got '{baseline}'$"):
            launch.refuse_unknown_baseline(config, tmp_path, poolings)
    else:
        launch.refuse_unknown_baseline(config, tmp_path, poolings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"equal_within": -1}, "equal_within: expected a number of points of at least 0, got -1"),
        ({"equal_within": True}, "equal_within: expected a number of points of at least 0, got True"),
        ({"choose": "lr"}, "choose: expected settings of the configuration, such as optimizer.lr, got 'lr'"),
    ],
)
def test_settings_of_the_comparison_are_checked_before_the_sweep(settings: dict[str, Any], message: str) -> None:
    """A mistake would otherwise cost the table at the end."""
    config = OmegaConf.create({"baseline": "max", "optimizer": {"lr": 0.1}, **settings})
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        launch.options_of_comparison(config)


@pytest.mark.parametrize("choose", ["optimizer.lr", ["optimizer.lr"]])
def test_settings_of_the_comparison(choose: Any) -> None:
    """One name or a list of them; a configuration of an earlier version has neither setting."""
    config = OmegaConf.create({"baseline": "max", "optimizer": {"lr": 0.1}, "choose": choose, "equal_within": 2})
    expected = {"baseline": "max", "choose": ["optimizer.lr"], "equal_within": 2}
    assert launch.options_of_comparison(config) == expected
    assert launch.options_of_comparison(OmegaConf.create({"baseline": "max"})) == {
        "baseline": "max",
        "choose": [],
        "equal_within": 1.0,
    }


@pytest.mark.parametrize("name", ["../outside", "a/../../b", "''", ".", "null", "/tmp/x", "'a\tb'", "x" * 300])
def test_a_study_that_is_no_folder_of_its_own(name: str) -> None:
    """Nothing is written outside of the folder of all studies, nor among them."""
    with pytest.raises(SystemExit, match=r"error: study: expected a name, .* got .{1,130}$"):
        launch.refuse_study(composed(f"study={name}"))


@pytest.mark.parametrize("name", ["first", "a/b", "'-x'", "'ä b'", "2026", "${pooling}"])
def test_a_study_that_is_one(name: str) -> None:
    """Nested, with a dash, with a space, in any alphabet, a number."""
    launch.refuse_study(composed(f"study={name}"))
