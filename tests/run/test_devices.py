"""One training on several devices, and compiled: the same results as on one, and as without."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import Compose, facts_of_command
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch._dynamo.utils import counters
from torch.multiprocessing import ProcessRaisedException

from textpool.build import build_classifier, build_data, load
from textpool.data import Splits
from textpool.data.batches import IGNORED, REPEATED, EncodedSentences, SharedSampler
from textpool.facts import config_hash
from textpool.pooling import Pooling
from textpool.record import Result
from textpool.run.folder import Run
from textpool.run.training import fit, train

pytestmark = pytest.mark.slow

SMALL = ("data.n_train=192", "data.n_val=64", "data.n_test=64")


def run(config: Compose, folder: Path, *given: str) -> Result:
    return train(config(*given), Run(folder, facts_of_command(*given), list(given)))


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(config: Compose, tmp_path: Path) -> None:
    """Up to rounding, where their shares of the last batch are unequal, and when the training is resumed."""
    for name, size in (("train", 193), ("other", 65)):  # the last batch has a single sentence
        words = ["great" if number % 2 else "awful" for number in range(size)]
        lines = [f"{word} {word} {'film ' * (number % 7)}" for number, word in enumerate(words)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    files = [f"data.{split}={tmp_path}/{'train' if split == 'train' else 'other'}.txt" for split in Splits._fields]
    given = ("data=text_file", *files, "model.dropout=0.0")
    one = run(config, tmp_path / "one", *given, "trainer.max_epochs=3")
    run(config, tmp_path / "first", *given, "trainer=ddp_cpu", "trainer.max_epochs=2")
    last = tmp_path / "first" / "checkpoints" / "last.ckpt"
    folder = tmp_path / "two"
    two = run(config, folder, *given, "trainer=ddp_cpu", "trainer.max_epochs=3", f"resume='{last}'")

    assert Result.read(folder) == two
    assert (two.status, two.n_test, two.best_epoch, two.n_params) == ("ok", 65, one.best_epoch, one.n_params)
    assert two.metrics == pytest.approx(one.metrics, rel=1e-3)
    assert two.history.keys() == one.history.keys()
    for name, values in one.history.items():
        assert two.history[name] == pytest.approx(values, rel=1e-3)
    assert two.seconds > Result.read(tmp_path / "first").seconds  # those before the resumption are part of it
    for name in ("best", "last"):
        first, second = (
            torch.load(tmp_path / run / "checkpoints" / f"{name}.ckpt", weights_only=True) for run in ("one", "two")
        )
        torch.testing.assert_close(first["state_dict"], second["state_dict"], rtol=1e-3, atol=1e-5)
    with (folder / "predictions.csv").open(encoding="utf-8") as file:
        assert [row["index"] for row in csv.DictReader(file)] == [str(index) for index in range(65)]
    curves, expected = (EventAccumulator(str(tmp_path / name)).Reload() for name in ("two", "one"))
    assert [event.step for event in curves.Scalars("loss/val")] == [3]  # the epochs after the resumption
    for tag in ("loss/train", "accuracy/train", "loss/val", "accuracy/val"):
        assert curves.Scalars(tag)[-1].value == pytest.approx(expected.Scalars(tag)[-1].value, rel=1e-3)
    assert {"test/acc", "test/loss"} <= set(curves.Tags()["scalars"])


def test_shares_are_the_batch_of_one_process() -> None:
    """At each step the processes have together the sentences of one process; what is left over has no label."""
    dataset = EncodedSentences([[number + 1] for number in range(7)], list(range(7)))
    order = list(SharedSampler(dataset, num_replicas=1, rank=0, seed=3))
    shares = [list(SharedSampler(dataset, num_replicas=3, rank=rank, seed=3)) for rank in range(3)]
    together = [index for step in zip(*shares, strict=True) for index in step]
    assert together == [*order, REPEATED, REPEATED]
    assert dataset.__getitems__([2, REPEATED]).labels.tolist() == [2, IGNORED]


def test_a_batch_that_cannot_be_shared(config: Compose, tmp_path: Path) -> None:
    """It is refused before any process starts."""
    with pytest.raises(ValueError, match=r"data\.batch_size: expected a multiple of 2, .* got 63"):
        run(config, tmp_path / "max", "trainer=ddp_cpu", "data.batch_size=63")


def test_an_error_in_another_process() -> None:
    """What is wrong with the settings is said in one line there too."""

    def fail(text: str) -> Callable[..., None]:
        def raise_it(*args: Any, **kwargs: Any) -> None:
            raise ProcessRaisedException(f"\n\n-- Process 0 terminated:\nTraceback …\n{text}\n", 0, 1)

        return raise_it

    arguments: Any = None, None, None
    expected: Any = SimpleNamespace(fit=fail("ValueError: train/loss became nan: a smaller optimizer.lr may help"))
    with pytest.raises(ValueError, match=r"^train/loss became nan: a smaller optimizer\.lr may help$"):
        fit(expected, *arguments)
    other: Any = SimpleNamespace(fit=fail("RuntimeError: out of memory"))
    with pytest.raises(ProcessRaisedException, match="out of memory"):
        fit(other, *arguments)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_a_compiled_run(config: Compose, tmp_path: Path) -> None:
    """The results of the run without compilation, few graphs for all batches, and a checkpoint like any other."""
    plain = run(config, tmp_path / "plain", *SMALL, "trainer.max_epochs=2")
    torch.compiler.reset()
    counters.clear()
    compiled = run(config, tmp_path / "compiled", *SMALL, "trainer.max_epochs=2", "compile=true")
    assert compiled.metrics == pytest.approx(plain.metrics, rel=1e-3)
    # in training and in evaluation, and for a batch of a single sentence: torch compiles a size of 1 apart
    assert 2 <= counters["stats"]["unique_graphs"] <= 6
    trained = load(tmp_path / "compiled" / "checkpoints" / "best.ckpt")
    assert not any(module._compiled_call_impl for module in trained.classifier.modules())


def test_compile_is_a_switch(config: Compose) -> None:
    """It compiles the poolings, in place, and nothing but true and false is allowed."""
    data = build_data(config())
    data.setup()
    plain, compiled = (build_classifier(config(f"compile={value}"), data) for value in ("false", "true"))
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    found = [module for module in compiled.modules() if module._compiled_call_impl is not None]
    assert len(found) == 3
    assert all(isinstance(module, Pooling) for module in found)
    with pytest.raises(ValueError, match="compile: expected true or false, got 'no'"):
        build_classifier(config("compile=no"), data)


def test_a_result_without_the_setting_stays_valid(config: Compose) -> None:
    """Runs of the time before `compile` are found finished."""
    settings = config()
    older = {name: value for name, value in settings.items() if name != "compile"}
    assert config_hash(older) == config_hash(settings) != config_hash({**settings, "compile": True})
