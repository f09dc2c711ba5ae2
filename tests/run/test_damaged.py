"""Checkpoints that were damaged, or belong to another run: they are told, and never trained on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from conftest import Compose, facts_of_command
from hypothesis import given, settings
from hypothesis import strategies as st

from textpool.build import CONTENT, load, read_checkpoint
from textpool.record import Result
from textpool.run.folder import Run
from textpool.run.training import train

pytestmark = pytest.mark.slow
SMALL = ("data.n_train=64", "data.n_val=16", "data.n_test=16", "trainer.max_epochs=2", "~logger", "explain=0")


def run(config: Compose, folder: Path, *overrides: str) -> Result:
    given = [*SMALL, *overrides]
    return train(config(*given), Run(folder, facts_of_command(*given), given))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `max` and `avg`."""
    from conftest import compose_config

    study = tmp_path_factory.mktemp("study")
    for name in ("max", "avg"):
        run(compose_config, study / name, f"pooling={name}")
    return study


def flip(path: Path, part: str = "data.pkl") -> None:
    """Change one bit in the middle of a part of the file."""
    content = bytearray(path.read_bytes())
    with ZipFile(path) as parts:
        largest = max(parts.infolist(), key=lambda info: (info.filename.endswith(part), info.file_size))
    content[largest.header_offset + 200 + largest.file_size // 2] ^= 1
    path.write_bytes(content)


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    checkpoint = torch.load(path, weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, path)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "one bit of a tensor": lambda path: flip(path, "/data/0"),
    "one bit of the settings": flip,
    "text": lambda path: path.write_text("hello"),
    "of another strategy": lambda path: shutil.copy(path.parents[3] / "other.ckpt", path),
    "without the state of a training": lambda path: edit(path, lambda checkpoint: checkpoint.pop("loops")),
}


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_with_a_damaged_checkpoint_starts_anew(
    config: Compose, finished: Path, tmp_path: Path, damage: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An interrupted run says so in one line, and has the numbers of a run that was never interrupted."""
    if name == "best.ckpt" and ("strategy" in damage or "state" in damage):
        pytest.skip("best.ckpt is judged by what it is used for")
    folder = tmp_path / "max"
    shutil.copytree(finished / "max", folder)
    whole = Result.read(folder)
    (folder / "result.json").unlink()
    shutil.copy(finished / "avg/checkpoints/last.ckpt", tmp_path.parent / "other.ckpt")
    DAMAGES[damage](folder / "checkpoints" / name)
    again = run(config, folder)
    [line] = [text for text in caplog.messages if "starts anew" in text]
    assert "\n" not in line
    assert name in line
    assert (again.metrics, again.history) == (whole.metrics, whole.history)


def test_a_missing_configuration_does_not_rename_a_checkpoint(
    config: Compose, finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With config.yaml deleted by hand, other settings train anew instead of continuing the checkpoint."""
    folder = tmp_path / "max"
    shutil.copytree(finished / "max", folder)
    for name in ("result.json", "config.yaml"):
        (folder / name).unlink()
    run(config, folder, "optimizer.lr=0.1")
    assert "optimizer.lr: 0.003, now 0.1" in caplog.text
    assert read_checkpoint(folder / "checkpoints/last.ckpt")[CONTENT]["config"]["optimizer"]["lr"] == 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda ckpt: ckpt["state_dict"]["model.linear.bias"].fill_(float("nan")), r"linear\.bias are not finite"),
        (lambda ckpt: ckpt[CONTENT].pop("labels"), "not a checkpoint of textpool"),
        (lambda ckpt: ckpt[CONTENT].update(config=5), "not a checkpoint of textpool"),
        (lambda ckpt: ckpt[CONTENT].update(vocabulary=["<PAD>", "a"]), "weights do not fit"),
        (lambda ckpt: ckpt[CONTENT]["config"].update(pooling={"_target_": "torch.nn.ReLU"}), "derived from Pooling"),
        (
            lambda ckpt: ckpt[CONTENT]["config"].update(model={"_target_": "textpool.record.write_atomic"}),
            "expected a class derived from Module",
        ),
        (
            lambda ckpt: ckpt[CONTENT]["config"]["data"].update(_target_="torch.serialization.load"),
            "expected a class derived from SentenceData",
        ),
        (lambda ckpt: ckpt[CONTENT]["config"].update(data={"_target_": "os.system"}), "if you trust this checkpoint"),
    ],
)
def test_a_checkpoint_that_is_not_loaded(
    finished: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    """One line that names the file; nothing but classes of the expected kind is built."""
    path = tmp_path / "best.ckpt"
    shutil.copy(finished / "max/checkpoints/best.ckpt", path)
    edit(path, change)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
@settings(max_examples=60)
def test_fuzzed_checkpoints(finished: Path, place: float, bit: int, cut: bool) -> None:
    """Whatever bit is changed and wherever the file is cut: a ValueError, or the content is what was written."""
    original = finished / "max/checkpoints/last.ckpt"
    content = bytearray(original.read_bytes())
    position = int(place * len(content))
    if cut:
        del content[position:]
    else:
        content[position] ^= 1 << bit
    damaged = finished / "fuzzed.ckpt"
    damaged.write_bytes(content)
    try:
        found = read_checkpoint(damaged)
    except ValueError:
        return
    expected = read_checkpoint(original)
    assert all(torch.equal(found["state_dict"][name], weight) for name, weight in expected["state_dict"].items())
    assert found[CONTENT] == expected[CONTENT]
    assert json.dumps(found["loops"], default=str) == json.dumps(expected["loops"], default=str)
