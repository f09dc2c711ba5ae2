"""Pretrained word vectors as the first weights of a run."""

import logging
from pathlib import Path

import pytest
import torch
from conftest import Compose, facts_of_command
from torch import Tensor

from textpool.build import build_classifier, build_data
from textpool.record import Result
from textpool.run.folder import Run
from textpool.run.training import train
from textpool.run.vectors import set_vectors

SMALL = ("data=order", "data.n_train=64", "data.n_val=32", "data.n_test=32", "model.embedding_dim=3")


def save(folder: Path) -> str:
    path = folder / "vectors.txt"
    path.write_text("terrible 1 2 3\nother 4 5 6\ngreat 7 8 9\n")
    return str(path)


@pytest.mark.parametrize("model", ["textcnn", "swem"])
def test_known_words_get_their_vectors(config: Compose, tmp_path: Path, model: str) -> None:
    """Others keep their random ones, and the padding its zeros; the report says how many words are known."""
    settings = config(*SMALL, f"model={model}", "model.embedding_dim=3")
    data = build_data(settings)
    data.setup()
    before = build_classifier(settings, data).model
    torch.manual_seed(0)
    told = set_vectors(before, data, save(tmp_path), tune=True)
    embedding = before.get_parameter("embedding.weight")
    assert embedding[data.vocabulary.index["great"]].tolist() == [7, 8, 9]
    assert embedding[data.vocabulary.index["terrible"]].tolist() == [1, 2, 3]
    assert not embedding[0].any()
    assert embedding.requires_grad
    share = sum(word in ("great", "terrible") for sentence in data.splits.train for word in sentence.words)
    share /= sum(len(sentence.words) for sentence in data.splits.train)
    known = f"2 of {len(data.vocabulary) - 1} words of the vocabulary, and {share:.1%} of the words of the training"
    assert known in told
    assert "are among the 3 of" in told


def test_a_model_of_another_dimension_is_refused(config: Compose, tmp_path: Path) -> None:
    settings = config(*SMALL, "model.embedding_dim=4")
    data = build_data(settings)
    data.setup()
    model = build_classifier(settings, data).model
    with pytest.raises(
        ValueError, match=r"^model\.embedding_dim: expected 3, the dimension of the vectors in .*, got 4"
    ):
        set_vectors(model, data, save(tmp_path), tune=True)
    with pytest.raises(ValueError, match=r"^vectors: Linear has no nn\.Embedding"):
        set_vectors(torch.nn.Linear(1, 1), data, save(tmp_path), tune=True)


@pytest.mark.slow
@pytest.mark.parametrize("tune", [True, False])
def test_a_run_with_pretrained_vectors(
    config: Compose, tmp_path: Path, tune: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """They are trained, or stay as they are and are not counted as parameters."""
    given = [*SMALL, "trainer.max_epochs=1", f"vectors={save(tmp_path)}", f"tune_vectors={str(tune).lower()}"]
    with caplog.at_level(logging.INFO):
        result = train(config(*given), Run(tmp_path / "max", facts_of_command(*given), given))
    assert caplog.text.count("vectors: 2 of 3 words of the vocabulary") == 1
    weights: dict[str, Tensor] = torch.load(tmp_path / "max" / "checkpoints" / "last.ckpt", weights_only=True)[
        "state_dict"
    ]
    table = weights["model.embedding.weight"]
    kept = [[1.0, 2.0, 3.0] in table.tolist(), [7.0, 8.0, 9.0] in table.tolist()]
    assert kept == [not tune] * 2
    assert result.n_params == sum(weight.numel() for weight in weights.values()) - (0 if tune else table.numel())
    assert Result.read(tmp_path / "max") == result
