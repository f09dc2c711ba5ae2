"""A classifier as a file: PyTorch's logits, for every strategy, and all that is needed to classify a text."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import CONF, ROOT, Compose
from torch import Tensor, nn

from textpool import agreement
from textpool.agreement import LARGEST, TOLERANCE, compare, decided_by_rounding
from textpool.build import Trained, build_classifier, build_data, content
from textpool.commands import export as command
from textpool.export import about, export, program_of, read_onnx, read_pt2
from textpool.inference import predict
from textpool.model import TextCNN
from textpool.pooling import KMax, Pooling

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unchecked")]

# one strategy of each module of textpool.pooling
DEMANDING = ("chunk_max", "sparse_attention")  # sorting, and lengths that depend on the sentence; all others are `long`
ALL = sorted(file.stem for file in CONF.glob("pooling/*.yaml"))


@pytest.fixture(autouse=True)
def shorter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 200 words in the tests that are marked `long` only: the others are for every change."""
    if request.node.get_closest_marker("long") is None:
        monkeypatch.setattr(agreement, "LONGEST", 40)


def untrained(config: Compose, *overrides: str) -> Trained:
    """A classifier with random weights, and the data without sentences."""
    settings = config("data.n_train=32", *overrides)
    data = build_data(settings)
    data.setup()
    torch.manual_seed(0)
    return Trained(build_classifier(settings, data).eval(), data)


def check(trained: Trained, path: Path) -> None:
    """Export a classifier, and compare the file with PyTorch once more, for one sentence and for many."""
    difference = export(trained, "onnx", path)
    assert difference.share < TOLERANCE
    assert difference.sentences == sum(1 + 37 * length % 64 for length in range(1, agreement.LONGEST + 1))
    assert difference.undecided < 10
    run = read_onnx(path)
    for batch, time in ((1, 1), (1, 2), (64, 200), (3, 300)):
        tokens = torch.randint(1, len(trained.data.vocabulary), (batch, time))
        with torch.no_grad():
            torch.testing.assert_close(run(tokens), trained.classifier(tokens), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", DEMANDING)
def test_onnx_of_demanding_strategies(config: Compose, tmp_path: Path, pooling: str) -> None:
    """For any number of words and of sentences."""
    check(untrained(config, f"pooling={pooling}"), tmp_path / "it.onnx")


@pytest.mark.long
@pytest.mark.parametrize("pooling", ALL)
def test_onnx_of_every_strategy(config: Compose, tmp_path: Path, pooling: str) -> None:
    check(untrained(config, f"pooling={pooling}"), tmp_path / "it.onnx")


@pytest.mark.long
@pytest.mark.parametrize("model", sorted(file.stem for file in CONF.glob("model/*.yaml")))
@pytest.mark.parametrize("pooling", ["max", "kmax"])
def test_onnx_of_every_model(config: Compose, tmp_path: Path, model: str, pooling: str) -> None:
    difference = export(untrained(config, f"model={model}", f"pooling={pooling}"), "onnx", tmp_path / "it.onnx")
    assert difference.share < TOLERANCE


@pytest.mark.long
@pytest.mark.parametrize("pooling", ALL)
def test_pt2_of_every_strategy(config: Compose, tmp_path: Path, pooling: str) -> None:
    assert export(untrained(config, f"pooling={pooling}"), "pt2", tmp_path / "it.pt2").share < TOLERANCE


def test_pt2_and_its_metadata(config: Compose, tmp_path: Path) -> None:
    """A program of torch.export with the vocabulary, the labels and the tokenizer beside it."""
    trained = untrained(config, "pooling=kmax", "data=tone")
    assert export(trained, "pt2", tmp_path / "kmax.pt2").largest < 1e-5
    files = {"textpool.json": ""}
    torch.export.load(tmp_path / "kmax.pt2", extra_files=files)
    assert json.loads(files["textpool.json"]) == about(trained.data)
    assert [path.name for path in tmp_path.iterdir()] == ["kmax.pt2"]


def test_a_fixed_length_is_kept(config: Compose, tmp_path: Path) -> None:
    """Where a model counts the padding, the file pads to the length of the training itself, and cuts what is longer."""
    fixed = ("model.window_mask=none", "data.pad_to=max_length", "data.max_length=60")
    trained = untrained(config, *fixed)
    export(trained, "pt2", tmp_path / "it.pt2")
    run, tokens = read_pt2(tmp_path / "it.pt2"), torch.randint(1, 9, (2, 70))
    with torch.no_grad():
        for time in (1, 7, 60):
            short = tokens[:, :time]
            expected = trained.classifier(nn.functional.pad(short, (0, 60 - time)))
            torch.testing.assert_close(run(short), expected)
        torch.testing.assert_close(run(tokens), trained.classifier(tokens[:, :60]))


def own_text(config: Compose, folder: Path) -> tuple[Path, Trained]:
    """The checkpoint of a classifier of ordinary text, with unknown words, capital letters and a largest length."""
    lines = "".join(f"pos A good film, number {n}!\nneg it's an awful film {n}\n" for n in range(20))
    (folder / "mine.txt").write_text(lines)
    settings = config("data=text_file", f"data.train={folder}/mine.txt", "data.max_length=5", "pooling=kmax")
    data = build_data(settings)
    data.setup()
    torch.manual_seed(0)
    classifier = build_classifier(settings, data).eval()
    path = folder / "best.ckpt"
    torch.save({"state_dict": classifier.state_dict(), "textpool": content(settings, data)}, path)
    return path, Trained(classifier, data)


def test_the_example_classifies_without_torch(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script of docs/export.md prints what predict does, in a process in which torch and textpool are not there."""
    path, trained = own_text(config, tmp_path)
    monkeypatch.setattr("sys.argv", ["export", str(path), "--to", "onnx", "--out", str(tmp_path / "it.onnx")])
    command.main()
    told = capsys.readouterr().out
    assert re.search(
        rf"^difference: at most \d\.\de-\d\d .* of 1 to {agreement.LONGEST} words in batches of 1 to {LARGEST}",
        told,
        re.M,
    )
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(encoding="utf-8"), re.S)
    blocked = "import sys\nsys.modules.update(torch=None, textpool=None, lightning=None)\n"
    (tmp_path / "classify.py").write_text(blocked + example)
    sentences = ["A GOOD film, number 3!", "it's awful and a good film that is too long", "grat", "", "<PAD> film"]
    script = [sys.executable, str(tmp_path / "classify.py"), str(tmp_path / "it.onnx"), *sentences]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    expected = [f"{found.label}\t{max(found.probabilities.values()):.4f}" for found in predict(trained, sentences)]
    assert done.stdout.splitlines() == [f"{found}\t{text}" for found, text in zip(expected, sentences, strict=True)]
    assert len({*expected}) > 2


class Asks(Pooling):
    """A strategy that asks for a value, which a program of torch.export cannot."""

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return features.amax(-1, keepdim=True) if features.sum() > 0 else features.amin(-1, keepdim=True)


def test_what_cannot_be_exported_is_told_with_its_reason(config: Compose, tmp_path: Path) -> None:
    """One line, and no file."""
    trained = untrained(config)
    trained.classifier.model = TextCNN(len(trained.data.vocabulary), 2, Asks).eval()
    why = "UnboundLocalError" if torch.__version__.startswith("2.8.") else ".*[Dd]ata"  # 2.8 loses it in its autocast
    with pytest.raises(
        ValueError, match=f"^cannot export TextCNN with Asks because torch.export fails: {why}"
    ) as caught:
        export(trained, "pt2", tmp_path / "it.pt2")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_other_logits_is_removed(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that was there before stays."""
    trained, other = untrained(config), untrained(config)
    with torch.no_grad():
        other.classifier.model.get_parameter("linear.bias")[0] += 0.001
    program = program_of(other)
    monkeypatch.setattr("textpool.export.program_of", lambda _: program)
    (tmp_path / "it.pt2").write_text("before")
    with pytest.raises(
        ValueError, match=r"because the logits of the file differ by up to 0\.001 from those of PyTorch"
    ):
        export(trained, "pt2", tmp_path / "it.pt2")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_not_a_number_is_a_difference(config: Compose) -> None:
    trained = untrained(config)
    found = compare(trained, lambda tokens: torch.full((len(tokens), 2), torch.nan))
    assert (found.largest, found.share) == (torch.inf, torch.inf)


def test_only_nearly_equal_values_are_decided_by_rounding(config: Compose) -> None:
    """Two filters of which k-max keeps three of four values: the third and the fourth are equal but for rounding."""
    model = TextCNN(6, 2, lambda channels: KMax(channels, k=3), embedding_dim=1, kernel_sizes=[1], n_filters=1).eval()
    with torch.no_grad():
        model.embedding.weight[1:, 0] = torch.tensor([5.0, 3.0, 1.0, 1.0 + 1e-7, 2.0])
        model.convolutions[0].weight.fill_(1.0)  # pyright: ignore
        model.convolutions[0].bias.zero_()  # pyright: ignore
        model.linear.weight.copy_(torch.tensor([[1.0, 10.0, 100.0], [0.0, 0.0, 0.0]]))
        model.linear.bias.zero_()
        nearly, clearly = torch.tensor([3, 1, 2, 4]), torch.tensor([3, 1, 2, 5])
        last, first = torch.tensor([5.0 + 30 + 100, 0.0]), torch.tensor([1.0 + 50 + 300, 0.0])
        torch.testing.assert_close(model(nearly[None])[0], last)  # of the two, the fourth is larger by one rounding
        assert decided_by_rounding(model, nearly, first, 0.01)
        assert not decided_by_rounding(model, nearly, first + 1, 0.01)
        assert not decided_by_rounding(model, clearly, first, 0.01)


def test_wrong_arguments(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message says what is expected."""
    trained = untrained(config)
    with pytest.raises(
        ValueError, match=r"^out: expected a name that ends in \.pt2, because torch loads no other, got x"
    ):
        export(trained, "pt2", "x.onnx")
    with pytest.raises(ValueError, match=r"^out: no such folder: .*none$"):
        export(trained, "onnx", tmp_path / "none" / "x.onnx")
    with pytest.raises(ValueError, match=r"^format: expected one of onnx, pt2, got 'tflite'"):
        export(trained, "tflite", "x")
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxruntime" else found(name))
    with pytest.raises(
        ImportError, match=r"^onnx needs onnxruntime: pip install 'textpool\[onnx\]', in a clone '\.\[onnx\]'"
    ):
        export(trained, "onnx", tmp_path / "x.onnx")
