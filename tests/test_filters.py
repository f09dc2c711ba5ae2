"""Filter cards and what a pooling keeps: values computed by hand on a model with known filters."""

import json
import sys
from pathlib import Path

import pytest
import torch
from conftest import Compose

from textpool.build import Trained, build_classifier, build_data
from textpool.commands import filters as command
from textpool.data import Sentence
from textpool.filters import filter_cards, kept, purity
from textpool.model import TextCNN
from textpool.study.filters import draw_cards, draw_kept

pytestmark = pytest.mark.slow


def detector(config: Compose, *overrides: str) -> Trained:
    """A classifier of the task `twice` with one filter of two words: 1 for each of the two that is `great`."""
    settings = config(
        "data=twice",
        "data.n_train=40",
        "model.kernel_sizes=[2]",
        "model.n_filters=1",
        "model.embedding_dim=1",
        *overrides,
    )
    data = build_data(settings)
    data.setup()
    classifier = build_classifier(settings, data).eval()
    model = classifier.model
    assert isinstance(model, TextCNN)
    with torch.no_grad():
        model.embedding.weight.zero_()
        model.embedding.weight[data.vocabulary.index["great"]] = 1.0
        convolution = model.convolutions[0]
        assert isinstance(convolution, torch.nn.Conv1d)
        convolution.weight[:] = torch.tensor([[[1.0, 0.5]]])
        assert convolution.bias is not None
        convolution.bias.fill_(0.25)
        model.linear.weight[:, :] = torch.tensor([[1.0], [-2.0]])
    return Trained(classifier, data)


def test_the_card_of_a_known_filter(config: Compose) -> None:
    """The n-gram, what each word adds beside the bias, the weights, and that it takes the cue in every sentence."""
    trained = detector(config)
    sentences = [Sentence(["the", "the", "great", "the"], "once")] * 3 + [Sentence(["the", "the"], "twice")] * 3
    [card] = filter_cards(trained, sentences, n_filters=3)
    assert card.name == "2 words, filter 0"
    best = card.ngrams[0]
    assert (best.words, best.parts, best.value) == (["great", "the"], [1.0, 0.0], 1.25)
    assert [each.words for each in card.ngrams] == [["great", "the"], ["the", "the"]]
    assert card.maxima == [1.25] * 3 + [0.25] * 3
    assert dict(zip(trained.data.labels, (1.0, -2.0), strict=True)) == card.weights
    assert card.with_cue == 1.0


@pytest.mark.parametrize(
    ("maxima", "labels", "expected"),
    [
        ([5, 4, 3, 2, 1, 0.5], "aaaaab", (1, "a", 5)),  # the sixth would make 5 of 6, which is below 95 %
        ([5, 4, 3, 2, 1, 1], "aaaaab", (None, None, 0)),  # equal values are above a threshold together
        ([5, 4, 3, 2], "aaaa", (None, None, 0)),  # four say too little
        ([0, 0, 0, 0, 0], "aaaaa", (None, None, 0)),  # a filter that never fires stands for nothing
    ],
)
def test_purity(maxima: list[float], labels: str, expected: tuple[float | None, str | None, int]) -> None:
    """The threshold of Jacovi et al.: above it, the maxima are of one class."""
    assert purity([float(value) for value in maxima], list(labels)) == expected


@pytest.mark.parametrize(
    ("overrides", "pooled", "shares"),
    [
        (["pooling=max"], [1.25], [0, 0, 1, 0]),
        (["pooling=avg"], [0.625], [0.25, 0.25, 0.25, 0.25]),
        (["pooling=kmax", "k=2"], [0.75, 1.25], [0, 0.5, 0.5, 0]),
    ],
)
def test_what_a_pooling_keeps(config: Compose, overrides: list[str], pooled: list[float], shares: list[float]) -> None:
    """Of the values 0.25, 0.75, 1.25, 0.25 of `the the great the the`: their order and their shares."""
    found = kept(detector(config, *overrides), "the the great the the")
    assert found.values == [0.25, 0.75, 1.25, 0.25]
    assert found.windows == ["the the", "the great", "great the", "the the"]

    assert found.pooled == pytest.approx(pooled)
    assert found.shares == pytest.approx(shares)


def test_errors_name_what_is_allowed(config: Compose) -> None:
    """A sentence without words, a filter that there is not, a model without filters."""
    trained = detector(config)
    with pytest.raises(ValueError, match="expected a sentence with words"):
        kept(trained, " ")
    with pytest.raises(ValueError, match="a filter from 0 to 0, got 0, 1"):
        kept(trained, "the great", (0, 1))
    settings = config("data=twice", "data.n_train=40", "model=swem")
    data = build_data(settings)
    data.setup()
    with pytest.raises(ValueError, match="expected a TextCNN, which has filters over windows of words, got Swem"):
        kept(Trained(build_classifier(settings, data), data), "the great")


def test_pictures(config: Compose) -> None:
    """A row for each filter with its three parts; a row for each classifier with a bar for each window."""
    trained = detector(config)
    cards = filter_cards(trained, [Sentence(["the", "great", "the"], "once")] * 6)
    assert len(draw_cards(cards).axes) == 3
    figure = draw_kept({"max": kept(trained, "the the great the the")})
    assert [patch.get_height() for patch in figure.axes[0].patches] == [0.25, 0.75, 1.25, 0.25]  # pyright: ignore[reportAttributeAccessIssue]


def test_the_command_takes_one_checkpoint_or_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: Compose
) -> None:
    """A card is of one checkpoint; a sentence compares several; JSON holds what is drawn."""
    monkeypatch.setattr("textpool.build.load", lambda path, allow: detector(config))
    for name in ("max", "avg"):
        (tmp_path / name).touch()
    out = tmp_path / "kept.png"
    monkeypatch.setattr(sys, "argv", ["filters", str(tmp_path / "max"), str(tmp_path / "avg")])
    with pytest.raises(SystemExit, match="expected one checkpoint, or --sentence"):
        command.main()
    sys.argv += ["--sentence", "the great the", "--figure", str(out), "--json"]
    command.main()
    assert json.loads(capsys.readouterr().out)["max"]["values"] == [0.75, 1.25]
    assert out.stat().st_size > 5_000


def test_windows_that_extend_beyond_the_sentence(config: Compose) -> None:
    """With `touching`, the first window holds the first word alone; the cue that it takes is found all the same."""
    trained = detector(config, "model.window_mask=touching")
    assert kept(trained, "great the").windows == ["great", "great the", "the"]
    sentences = [Sentence(["the", "great", "the", "the"], "once")] * 5
    [card] = filter_cards(trained, sentences, n_filters=1)
    assert (card.ngrams[0].words, card.ngrams[0].value, card.with_cue) == (["great", "the"], 1.25, 1.0)
