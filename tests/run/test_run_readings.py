"""What a run leaves for the pictures of its study."""

import json
from pathlib import Path

import pytest
import torch
from conftest import Compose

from textpool.build import Trained, build_classifier, build_data
from textpool.record import READINGS
from textpool.run.readings import in_turn, write_readings


def test_sentences_come_in_turn_from_each_class() -> None:
    """Also from a file that is sorted by class; a class that has no more is passed over."""
    assert list(in_turn([0, 1, 2, 3, 4], [1, 1, 1, 0, 0])) == [3, 0, 4, 1, 2]
    assert list(in_turn([], [])) == []


def test_examples_and_the_most_confident_mistakes(config: Compose, tmp_path: Path) -> None:
    """Contributions and biases add up to the logit of the predicted class; n = 0 writes nothing."""
    settings = config("pooling=kmax", "data.n_train=20", "data=order")
    data = build_data(settings)
    data.setup()
    trained = Trained(build_classifier(settings, data), data)
    with torch.no_grad():
        encoded = data.encoded["test"]
        batches = data.loader(encoded, batch_size=len(encoded.labels))
        probabilities = torch.cat([trained.classifier.eval()(batch.tokens).softmax(-1) for batch in batches])
    write_readings(tmp_path, trained, probabilities, 0)
    assert not (tmp_path / READINGS).exists()
    write_readings(tmp_path, trained, probabilities, 4)
    found = json.loads((tmp_path / READINGS).read_text())
    assert [each["label"] for each in found["examples"]] == ["a first", "b first"] * 2
    assert len(found["mistakes"]) == 3
    for each in (*found["examples"], *found["mistakes"]):
        row = probabilities[each["index"]]
        assert data.labels[int(row.argmax())] == each["predicted"]
        assert each["probability"] == pytest.approx(float(row.max()), abs=1e-4)
        assert sum(each["contributions"]) + each["bias"] == pytest.approx(each["logit"], abs=1e-3)
    assert all(each["label"] != each["predicted"] for each in found["mistakes"])
    confidences = [each["probability"] for each in found["mistakes"]]
    assert confidences == sorted(confidences, reverse=True)
    wrong = [index for index, row in enumerate(probabilities) if row.argmax() != data.encoded["test"].labels[index]]
    taken = {each["index"] for each in found["examples"]}
    assert confidences[0] == pytest.approx(
        max(float(probabilities[i].max()) for i in wrong if i not in taken), abs=1e-4
    )
