"""What the words of a sentence contribute adds up to the logit, for every strategy and every model."""

import json
from pathlib import Path
from typing import Any

import forked
import pytest
import torch
from conftest import CONF, ROOT, Compose
from torch import nn

from textpool.build import Trained, build_classifier, build_data, content
from textpool.commands.explain import short_labels
from textpool.explain import explain, gradient_times_input, integrated_gradients

pytestmark = pytest.mark.slow

SENTENCE = "the film was great and really great but this movie is terrible and not very great"
# of the strategies that select or average, so that the network is homogeneous in its embeddings and biases
EXACT = ["max", "avg", "sum", "kmax", "kmax_by_value", "topk_mean", "chunk_max", "chunk_avg", "pyramid", "max_avg"]
EXACT += ["local_max", "local_avg", "hierarchical", "sqrt_sum", "quantile", "first", "last", "topk_share"]


def untrained(config: Compose, *overrides: str) -> Trained:
    """A classifier with random weights, whose biases are not zero, and the data without sentences."""
    settings = config("data.n_train=32", *overrides)
    data = build_data(settings)
    data.setup()
    torch.manual_seed(0)
    classifier = build_classifier(settings, data).eval()
    with torch.no_grad():
        for name, weight in classifier.named_parameters():
            if "bias" in name:
                weight.uniform_(-0.3, 0.3)
    return Trained(classifier, data)


def size(found: Any) -> float:
    return sum(map(abs, found.contributions)) + abs(found.bias)


@pytest.mark.parametrize("pooling", sorted(file.stem for file in CONF.glob("pooling/*.yaml")))
def test_contributions_and_bias_add_up(config: Compose, pooling: str) -> None:
    """To the logit of the model: by gradient times input where a strategy selects or averages, else integrated."""
    trained = untrained(config, "data=tone", f"pooling={pooling}", "data.n_filler=16")
    for label in trained.data.labels:
        (found,) = explain(trained, [SENTENCE], label)
        assert found.words == SENTENCE.split()
        assert abs(found.gap) < 0.02 * size(found)
        assert len(found.contributions) == len(found.words)
        if pooling in EXACT:
            assert found.method == "gradient"
            assert abs(found.gap) < 1e-5 * size(found)
        if pooling != "kmax":  # it jumps where another value enters the k largest
            (integrated,) = explain(trained, [SENTENCE], label, "integrated")
            assert abs(integrated.gap) < 0.02 * size(integrated)


@pytest.mark.parametrize("model", sorted(file.stem for file in CONF.glob("model/*.yaml")))
def test_every_model(config: Compose, model: str) -> None:
    trained = untrained(config, "data=tone", f"model={model}", "data.n_filler=16")
    (found,) = explain(trained, [SENTENCE])
    assert abs(found.gap) < 0.02 * size(found)
    with torch.no_grad():
        logits = trained.classifier(trained.data.encode_texts([SENTENCE])[0].tokens)[0]
    assert found.label == trained.data.labels[int(logits.argmax())]
    assert found.logit == pytest.approx(float(logits.max()), abs=1e-5)
    assert found.probability == pytest.approx(float(logits.softmax(-1).max()), abs=1e-5)


def test_by_hand(config: Compose) -> None:
    """With one filter that responds to the second dimension of a word, max pooling reads one word."""
    trained = untrained(config, "data=twice", "model.embedding_dim=2", "model.kernel_sizes=[1]", "model.n_filters=1")
    model, words = trained.classifier.model, trained.data.vocabulary.index
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        model.get_parameter("embedding.weight")[words["great"], 1] = 2.0
        model.get_parameter("embedding.weight")[words["the"], 0] = 5.0
        model.get_parameter("convolutions.0.weight")[0, 1, 0] = 3.0
        model.get_parameter("convolutions.0.bias")[0] = 0.5
        model.get_parameter("linear.weight")[1, 0] = 10.0
        model.get_parameter("linear.bias")[1] = -1.0
    (found,) = explain(trained, ["the great the"], trained.data.labels[1])
    assert found.contributions == [0.0, 60.0, 0.0]
    assert found.bias == 10 * 0.5 - 1
    assert found.logit == 64.0


def test_an_empty_sentence(config: Compose) -> None:
    """It has no words; its logit is the biases'."""
    (found,) = explain(untrained(config), [""])
    assert found.words == found.contributions == []
    assert abs(found.gap) < 1e-5


def test_wrong_arguments(config: Compose) -> None:
    trained = untrained(config)
    with pytest.raises(ValueError, match=r"^label: expected one of negative, positive, got 'x'"):
        explain(trained, ["great"], "x")
    with pytest.raises(ValueError, match=r"^method: expected gradient or integrated, got 'x'"):
        explain(trained, ["great"], method="x")
    trained.classifier.model.embedding = nn.Identity()
    with pytest.raises(ValueError, match=r"^explain: TextCNN has no nn\.Embedding"):
        explain(trained, ["great"])


def test_the_two_methods_agree_on_a_linear_model(config: Compose) -> None:
    """Average pooling of the embeddings without a hidden layer is linear."""
    trained = untrained(config, "model=swem", "model.hidden_dim=null", "pooling=avg")
    tokens = trained.data.encode_texts(["a great film"])[0].tokens
    one, other = (method(trained.classifier, tokens, 1) for method in (gradient_times_input, integrated_gradients))
    torch.testing.assert_close(one[0], other[0])
    assert one[1] == pytest.approx(other[1])


@pytest.mark.slow
def test_the_command(config: Compose, tmp_path: Path) -> None:
    """One JSON object for each sentence and checkpoint, and lines with numbers where no terminal shows colours."""
    settings = config("data.n_train=32")
    for name in ("a", "b"):
        trained = untrained(config)
        checkpoint = {"textpool": content(settings, trained.data), "state_dict": trained.classifier.state_dict()}
        torch.save(checkpoint, tmp_path / f"{name}.ckpt")
    done = forked.run(ROOT / "scripts" / "explain.py", ["a.ckpt", "a great film", "--json"], tmp_path)
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["words"] == ["a", "great", "film"]
    assert sum(found["contributions"]) + found["bias"] == pytest.approx(found["logit"], abs=1e-4)
    assert "checkpoint" not in found
    done = forked.run(ROOT / "scripts" / "explain.py", ["a.ckpt", "b.ckpt"], tmp_path, "a film\ngreat\n")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["a.ckpt", "b.ckpt"] * 2
    figure = ["a.ckpt", "b.ckpt", "a great film", "an awful one", "--figure", "words.png"]
    done = forked.run(ROOT / "scripts" / "explain.py", figure, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "words.png").stat().st_size > 5000
    done = forked.run(ROOT / "scripts" / "explain.py", ["none.ckpt", "a"], tmp_path)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "error: none.ckpt: no such file: expected a run such as logs/first/max",
    )


def test_names_of_runs_lose_what_they_share() -> None:
    names = ["kmax-k8-order-seed0", "max-order-seed0"]
    assert short_labels(names) == {"kmax-k8-order-seed0": "kmax-k8", "max-order-seed0": "max"}
    assert short_labels(["max"]) == {"max": "max"}
