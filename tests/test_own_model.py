"""The recurrent network of docs/own_model.md: its code and its configuration, as they stand there."""

import re
import sys
from pathlib import Path

import forked
import pytest
import torch
from conftest import ROOT
from torch import nn

from textpool.pooling import Avg, Pooling

PAGE = (ROOT / "docs" / "own_model.md").read_text(encoding="utf-8")


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files of the page."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (settings,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    (tmp_path / "my_models.py").write_text(code)
    (tmp_path / "my_conf" / "model").mkdir(parents=True)
    (tmp_path / "my_conf" / "model" / "gru.yaml").write_text(settings)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    return tmp_path


@pytest.mark.usefixtures("written")
def test_padding_changes_nothing() -> None:
    """A sentence has the same logits alone and in a batch; an empty one has finite logits."""
    from my_models import Gru  # pyright: ignore[reportMissingImports]

    torch.manual_seed(0)
    net: nn.Module = Gru(10, 3, lambda channels: Avg(channels)).double()
    assert isinstance(net.get_submodule("pooling"), Pooling)
    tokens = torch.tensor([[3, 4, 5, 6, 0, 0], [7, 8, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    logits = net(tokens)
    torch.testing.assert_close(logits[:1], net(tokens[:1, :4]))
    torch.testing.assert_close(logits[1:2], net(tokens[1:2, :2]))
    assert logits.isfinite().all()


@pytest.mark.slow
def test_the_command_of_the_page(written: Path) -> None:
    """It trains both models with both poolings, and the table has a column for their parameters."""
    small = ("data.n_train=64", "data.n_val=32", "data.n_test=32", "trainer.max_epochs=1", "study=own", "~logger")
    arguments = ("-m", "--config-dir", "my_conf", "model=textcnn,gru", "pooling=max,avg", "data=order", *small)
    done = forked.run(ROOT / "scripts" / "train.py", arguments, written, PYTHONPATH=".")
    assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in written.glob("logs/own/*/result.json")} == {
        *("max-textcnn", "avg-textcnn", "max-gru", "avg-gru")
    }
