"""Configuration to objects, and checkpoints back: one file is enough, and it runs no code of its own."""

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Compose
from lightning import Trainer

from textpool.build import build_classifier, build_data, build_model, content, load, read_checkpoint
from textpool.data import SentenceData
from textpool.pooling import KMax

SMALL = ("data.n_train=64", "data.n_val=8", "data.n_test=8")


def data_of(config: dict[str, Any]) -> SentenceData:
    data = build_data(config)
    data.setup()
    return data


@pytest.fixture
def checkpoint(config: Compose, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A checkpoint as a run writes it, without training, and its content for tests that change it."""
    settings = config(*SMALL, "pooling=kmax")
    data = data_of(settings)
    classifier = build_classifier(settings, data)
    found = {"state_dict": classifier.state_dict(), "textpool": content(settings, data), "epoch": 0}
    path = tmp_path / "best.ckpt"
    torch.save(found, path)
    return path, found


def changed(path: Path, found: dict[str, Any], section: str, value: Any) -> Path:
    """A copy of a checkpoint with another section in its configuration."""
    other = copy.deepcopy(found)
    other["textpool"]["config"][section] = value
    target = path.with_name("changed.ckpt")
    torch.save(other, target)
    return target


def test_every_section_becomes_its_object(config: Compose) -> None:
    """Pooling, model, optimiser and schedule are those of the configuration."""
    settings = config(
        *SMALL, "pooling=kmax", "k=2", "optimizer=adamw", "scheduler=cosine", "monitor=val/loss", "seed=7"
    )
    classifier = build_classifier(settings, data_of(settings))
    [pooling, *_] = classifier.model.poolings  # pyright: ignore
    assert isinstance(pooling, KMax)
    assert repr(pooling) == "KMax(k=2)"
    assert (classifier.monitor, classifier.seed, classifier.n_classes) == ("val/loss", 7, 2)
    optimizer = classifier.make_optimizer(classifier.parameters())
    assert isinstance(optimizer, torch.optim.AdamW)
    assert classifier.make_scheduler is not None
    assert classifier.make_scheduler(optimizer).T_max == 40


def test_a_model_that_counts_padding_needs_data_of_one_length(config: Compose) -> None:
    """Otherwise a result would depend on the other sentences of its batch."""
    settings = config(*SMALL, "model.window_mask=none")
    with pytest.raises(ValueError, match=r"window_mask: .*data\.pad_to=max_length"):
        build_model(settings, data_of(settings))
    settings = config(*SMALL, "model.window_mask=none", "data.pad_to=max_length", "data.max_length=12")
    assert build_model(settings, data_of(settings)) is not None


def test_a_pooling_without_partial_is_explained(config: Compose) -> None:
    """The line that a first YAML file of one's own often lacks."""
    settings = config(*SMALL)
    del settings["pooling"]["_partial_"]
    with pytest.raises(ValueError, match="pooling: its YAML file needs the line `_partial_: true`"):
        build_model(settings, data_of(settings))


def test_a_checkpoint_is_plain_data_and_enough(checkpoint: tuple[Path, dict[str, Any]]) -> None:
    """It loads weights-only and gives the classifier, the vocabulary, the labels and the tokenizer back."""
    path, found = checkpoint
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []
    classifier, data = load(path)
    assert (data.labels, len(data.vocabulary)) == (["negative", "positive"], 42 - 1)
    assert all(torch.equal(value, found["state_dict"][name]) for name, value in classifier.state_dict().items())
    assert not classifier.training


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("pooling", {"_target_": "os.system", "command": "touch PWNED"}, "os.system is not of textpool.*--allow os"),
        ("data", {"_target_": "subprocess.run", "args": "true"}, "data: subprocess.run is not of .*--allow subprocess"),
        ("model", {"_target_": "evil.Model"}, "model: evil.Model is not of .*--allow evil"),
        (
            "pooling",
            {"_target_": "textpool.record.write_atomic", "path": "PWNED"},
            "write_atomic is refused",
        ),
        ("pooling", {"_target_": "torch.hub.load", "repo_or_dir": "x"}, "torch.hub.load is refused: .*from Pooling"),
        ("pooling", {"_target_": "torch.nn.Linear", "_partial_": True}, "torch.nn.Linear is refused: .*from Pooling"),
        ("model", {"_target_": "textpool.run.launch.sys.exit"}, "sys.exit is refused: .*from Module"),
        ("data", {"_target_": "textpool.pooling.Max", "channels": 1}, "Max is refused: .*derived from SentenceData"),
        (
            "pooling",
            {"_target_": "textpool.pooling.Concat", "poolings": [{"_target_": "os.system"}]},
            "os.system is not",
        ),
        ("model", {"_target_": "textpool.model.TextCNN", "dropout": {"_target_": "os.getcwd"}}, "os.getcwd is not"),
        ("pooling", {"_target_": ["os.system"]}, "is not of textpool"),
        ("pooling", "${oc.create:{_target_:os.system,command:x}}", "pooling: expected resolved settings"),
        ("pooling", {"_target_": "textpool.pooling.Max", "x": {"${oc.env:HOME}": 1}}, "expected resolved settings"),
        ("pooling", {"_target_": "textpool.pooling.Nothing"}, "pooling: .*Nothing"),
    ],
)
def test_a_checkpoint_builds_classes_of_the_expected_kind_only(
    checkpoint: tuple[Path, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    section: str,
    value: Any,
    message: str,
) -> None:
    """Nothing that a checkpoint names is called unless it is a trusted class; the error names it and the way out."""
    path, found = checkpoint
    monkeypatch.chdir(path.parent)
    with pytest.raises(ValueError, match=message):
        load(changed(path, found, section, value))
    assert not (path.parent / "PWNED").exists()


MINE = """
from pathlib import Path
from textpool.pooling import Max
Path("IMPORTED").touch()
class Mine(Max):
    pass
"""


def test_a_module_of_the_users_own_is_allowed_by_name(
    checkpoint: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its name it is not even imported; a name that only begins alike does not allow it."""
    path, found = checkpoint
    monkeypatch.chdir(path.parent)
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.delitem(sys.modules, "mine_poolings", raising=False)
    (path.parent / "mine_poolings.py").write_text(MINE)
    own = changed(path, found, "pooling", {"_target_": "mine_poolings.Mine", "_partial_": True})
    for allowed in ([], ["mine"], ["mine_poolings.Other"]):
        with pytest.raises(ValueError, match=r"mine_poolings\.Mine is not of .*add --allow mine_poolings"):
            load(own, allowed)
    assert not (path.parent / "IMPORTED").exists()
    with pytest.raises(ValueError, match="the weights do not fit the model"):  # those of k-max with three values
        load(own, ["mine_poolings"])
    assert (path.parent / "IMPORTED").exists()


def test_reading_a_checkpoint_builds_nothing(checkpoint: tuple[Path, dict[str, Any]]) -> None:
    """Training takes only the weights and the settings from a file, whatever classes it names."""
    path, found = checkpoint
    evil = changed(path, found, "pooling", {"_target_": "os.system", "command": "touch PWNED"})
    assert read_checkpoint(evil)["textpool"]["config"]["pooling"]["_target_"] == "os.system"


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "pickle", "foreign"])
def test_what_is_no_checkpoint(checkpoint: tuple[Path, dict[str, Any]], damage: str) -> None:
    """One line that names the file, for whatever a user may give instead."""
    path, _ = checkpoint
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "pickle":
        torch.save({"textpool": Trainer}, path)
    elif damage == "foreign":
        torch.save({"state_dict": {}}, path)
    else:
        path.write_text("" if damage == "empty" else "no checkpoint")
    with pytest.raises(ValueError, match=r"best\.ckpt: (no such file|not a checkpoint of textpool)"):
        load(path)
