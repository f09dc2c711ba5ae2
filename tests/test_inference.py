"""Use of a trained classifier: predictions, and metrics of labelled sentences."""

from pathlib import Path

import pytest
import torch
from conftest import Compose
from lightning import Trainer

from textpool.build import Trained, build_classifier, build_data
from textpool.data import Sentence
from textpool.inference import (
    QUIET,
    accuracy,
    class_probabilities,
    evaluate,
    evaluate_classes,
    evaluate_population,
    find_checkpoint,
    measure,
    per_class,
    predict,
    unknown_words,
)


@pytest.fixture
def trained(config: Compose) -> Trained:
    """A classifier with random weights, and its data."""
    settings = config("data.n_train=64", "data.n_val=20", "data.n_test=20")
    data = build_data(settings)
    data.setup()
    torch.manual_seed(0)
    return Trained(build_classifier(settings, data).eval(), data)


def test_predictions_do_not_depend_on_the_batch(trained: Trained) -> None:
    """Each sentence alone gives what it gives among others; words never seen and empty sentences are allowed."""
    sentences = ["great film", "", "the movie was very very very bad", "never-seen words"]
    together = predict(trained, sentences)
    for sentence, prediction in zip(sentences, together, strict=True):
        [alone] = predict(trained, [sentence])
        assert alone.probabilities == pytest.approx(prediction.probabilities)
    for prediction in together:
        assert sum(prediction.probabilities.values()) == pytest.approx(1)
        assert prediction.probabilities[prediction.label] == max(prediction.probabilities.values())
    assert [len(predict(trained, sentences, batch_size=size)) for size in (1, 3, 100)] == [4, 4, 4]
    assert predict(trained, []) == []


def test_the_label_is_the_class_with_the_highest_logit(trained: Trained) -> None:
    """Classes are named by the labels of the training, in their order."""
    with torch.no_grad():
        trained.classifier.model.linear.weight.zero_()  # pyright: ignore
        trained.classifier.model.linear.bias.copy_(torch.tensor([0.0, 1.0]))  # pyright: ignore
    [prediction] = predict(trained, ["a film"])
    assert prediction.label == "positive"
    assert prediction.probabilities["negative"] == pytest.approx(1 / (1 + 2.718281828), abs=1e-6)


def test_metrics_of_each_class_by_hand() -> None:
    """Precision, recall and F1 of four classes; c is never predicted, and d does not occur.

    a: both predictions are correct, and 2 of 4 sentences are found. b: 1 of 3 predictions is correct, and the only
    sentence is found.
    """
    targets = torch.tensor([0, 0, 0, 0, 1, 2])
    predicted = torch.tensor([0, 0, 1, 3, 1, 1])
    found = per_class(["a", "b", "c", "d"], targets, predicted)
    assert found["a"] == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "count": 4})
    assert found["b"] == pytest.approx({"precision": 1 / 3, "recall": 1.0, "f1": 0.5, "count": 1})
    assert found["c"] == {"precision": 0, "recall": 0, "f1": 0, "count": 1}
    assert found["d"] == {"precision": 0, "recall": 0, "f1": 0, "count": 0}
    assert list(found) == ["a", "b", "c", "d"]


def test_metrics_of_each_class_of_sentences(trained: Trained) -> None:
    """The counts are those of the labels, and the recall is the share of each class that `predict` finds."""
    sentences = trained.data.splits.test
    predicted = predict(trained, [" ".join(sentence.words) for sentence in sentences])
    found = evaluate_classes(trained, sentences, batch_size=3)
    assert list(found) == ["negative", "positive"]
    for label, metrics in found.items():
        own = [p.label == label for p, sentence in zip(predicted, sentences, strict=True) if sentence.label == label]
        assert metrics["count"] == len(own)
        assert metrics["recall"] == pytest.approx(sum(own) / len(own))


def test_unknown_words_of_sentences(trained: Trained) -> None:
    """Words are those of the tokeniser, and those behind `max_length` do not count: the model does not see them."""
    assert unknown_words(trained.data, ["a grat film film!", "", "Film"]) == [["grat", "film!"], [], ["Film"]]
    trained.data.max_length = 3
    assert unknown_words(trained.data, ["a grat film film!"]) == [["grat"]]


def test_the_checkpoint_of_a_run(tmp_path: Path) -> None:
    """The folder of a run, or its folder of checkpoints, means best.ckpt; the path of a file means that file."""
    run = tmp_path / "first" / "max"
    (run / "checkpoints").mkdir(parents=True)
    for name in ("best", "last"):
        (run / "checkpoints" / f"{name}.ckpt").touch()
    assert find_checkpoint(run) == find_checkpoint(str(run / "checkpoints")) == run / "checkpoints" / "best.ckpt"
    assert find_checkpoint(run / "checkpoints" / "last.ckpt") == run / "checkpoints" / "last.ckpt"
    with pytest.raises(ValueError, match=r"first: no checkpoints/best\.ckpt .*; it has the runs .*/first/max$"):
        find_checkpoint(tmp_path / "first")
    with pytest.raises(ValueError, match=r"expected the folder of a run, such as logs/first/max, or the path of a ch"):
        find_checkpoint(tmp_path)


def constant(trained: Trained, favoured: int) -> Trained:
    """The classifier that gives every sentence the class of this number."""
    with torch.no_grad():
        trained.classifier.model.linear.weight.zero_()  # pyright: ignore
        trained.classifier.model.linear.bias.copy_(torch.eye(len(trained.data.labels))[favoured])  # pyright: ignore
    return trained


def test_accuracy_by_hand(trained: Trained) -> None:
    """A classifier that always says positive is right for the positive sentences, or for the sum of their weights."""
    labels = ["positive", "negative", "positive", "positive"]
    sentences = trained.data.encode([Sentence(["a", "film"], label) for label in labels])
    assert accuracy(constant(trained, 1), sentences) == 0.75
    weights = torch.tensor([0.1, 0.5, 0.15, 0.25], dtype=torch.float64)
    assert accuracy(constant(trained, 1), sentences, weights) == pytest.approx(0.5)
    assert accuracy(constant(trained, 0), sentences, weights) == pytest.approx(0.5)
    assert accuracy(constant(trained, 0), sentences, weights**0) == 0.25


@pytest.mark.parametrize(("task", "n_sentences", "share"), [("position", 600, 0.25), ("order", 1320, 0.5)])
def test_exact_accuracy_of_a_constant_classifier(config: Compose, task: str, n_sentences: int, share: float) -> None:
    """It is right for one class, whatever the numbers of different sentences of the classes."""
    settings = config(f"data={task}", "data.n_train=64", "data.n_val=20", "data.n_test=20")
    data = build_data(settings)
    data.setup()
    found = evaluate_population(constant(Trained(build_classifier(settings, data).eval(), data), 1))
    assert found == {"sentences": n_sentences, "population/acc": pytest.approx(share)}


def test_exact_accuracy_is_that_of_a_large_sample(config: Compose) -> None:
    """6,000 drawn sentences have it within 4 standard errors; the model, not trained, is right for some of both."""
    settings = config("data=twice", "data.n_train=64", "data.n_val=20", "data.n_test=6000", "pooling=sum")
    data = build_data(settings)
    data.setup()
    torch.manual_seed(0)
    trained = Trained(build_classifier(settings, data).eval(), data)
    with torch.no_grad():  # the median of the first logit, so that both classes are predicted
        [batch] = data.loader(data.encode(data.splits.test[:200]), batch_size=200)
        logits = trained.classifier(batch.tokens)
        trained.classifier.model.linear.bias[0] -= (logits[:, 0] - logits[:, 1]).median()  # pyright: ignore
    exact = evaluate_population(trained)["population/acc"]
    assert 0.55 < exact < 0.95 or 0.05 < exact < 0.45
    sampled = accuracy(trained, data.encoded["test"])
    assert abs(sampled - exact) < 4 * (exact * (1 - exact) / 6000) ** 0.5


def test_exact_accuracy_needs_a_diagnostic_task(trained: Trained) -> None:
    """Other data are not enumerated."""
    with pytest.raises(ValueError, match="expected a classifier of a diagnostic task, got one of SentimentData"):
        evaluate_population(trained)


@pytest.mark.slow
def test_evaluation_equals_the_definition(trained: Trained) -> None:
    """Accuracy of labelled sentences is the share of those predicted correctly, in batches of any size."""
    sentences = trained.data.splits.test
    predicted = predict(trained, [" ".join(sentence.words) for sentence in sentences])
    correct = sum(p.label == sentence.label for p, sentence in zip(predicted, sentences, strict=True)) / len(sentences)
    for batch_size in (3, 256):
        assert evaluate(trained, sentences, batch_size)["test/acc"] == pytest.approx(correct)


@pytest.mark.slow
def test_metrics_of_either_split(trained: Trained, tmp_path: Path) -> None:
    """The names of metrics begin with the split; probabilities come in the order of the sentences."""
    trainer = Trainer(accelerator="cpu", devices=1, enable_model_summary=False, default_root_dir=tmp_path, **QUIET)
    for split, batches in (("val", trained.data.val_dataloader()), ("test", trained.data.test_dataloader())):
        metrics = measure(trainer, trained.classifier, split, batches)
        assert {f"{split}/acc", f"{split}/loss", f"{split}/f1"} <= set(metrics)
        assert all(name.startswith(f"{split}/") for name in metrics)
    probabilities = class_probabilities(trainer, trained.classifier, trained.data.test_dataloader())
    expected = predict(trained, [" ".join(sentence.words) for sentence in trained.data.splits.test])
    assert probabilities[:, 0].tolist() == pytest.approx([p.probabilities["negative"] for p in expected], abs=1e-6)
