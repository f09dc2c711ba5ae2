"""Between Hydra and a run: the parts that need no training; tests/test_scripts.py runs the whole."""

from pathlib import Path

import pytest
from conftest import CONF
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from textpool.run import launch


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
    ("done", "jobs", "seconds", "text"),
    [
        (1, 3, 10.0, "1 of 3 runs, about 0:00:20 left"),
        (3, 3, 10.0, "3 of 3 runs"),
        (1000, 2000, 3600.0, "1,000 of 2,000 runs, about 1:00:00 left"),
    ],
)
def test_progress_of_a_sweep(done: int, jobs: int, seconds: float, text: str) -> None:
    """Finished jobs, and the time for the others at this rate."""
    assert launch.sweep_progress(done, jobs, seconds) == text


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
    monkeypatch.setattr(launch, "report_study", lambda study, baseline: reported.append(study))
    callback = launch.StudyCallback()
    callback.sweep_clock -= 10
    callback.report_if_interrupted(tmp_path, "max")
    assert reported == []
    (tmp_path / "max").mkdir()
    (tmp_path / "max" / "config.yaml").write_text("seed: 1\n")
    callback.report_if_interrupted(tmp_path, "max")
    assert reported == [tmp_path]
    assert f"the same command with study={tmp_path.name} continues" in capsys.readouterr().err
    callback.reported = True
    callback.report_if_interrupted(tmp_path, "max")
    assert reported == [tmp_path]
