"""Use of a trained classifier: predictions, and metrics of labelled sentences."""

from pathlib import Path

import pytest
import torch
from conftest import Compose
from lightning import Trainer

from textpool.build import Trained, build_classifier, build_data
from textpool.inference import QUIET, class_probabilities, evaluate, measure, predict


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
