"""The commands that use a trained classifier, `predict` and `evaluate`: what they print for known weights."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
import torch
from conftest import Compose, compose_config, facts_of_command

from textpool.build import build_classifier, build_data, content, load
from textpool.commands import evaluate, predict
from textpool.commands.predict import likeliest
from textpool.explain import explain
from textpool.inference import Prediction
from textpool.run.folder import Run
from textpool.run.training import train

TRAIN = "".join(f"pos;a good film {number}\nneg;a bad film {number}\n" for number in range(10))
PREDICTION = Prediction("pos", {"neg": 0.25, "pos": 0.75})
TEST = "label;text\npos;Good!\nneg;so bad\npos;a film, new\n"


@pytest.fixture
def run(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run on a file with semicolons; its classifier gives every sentence neg 0.2689, pos 0.7311."""
    (tmp_path / "train.csv").write_text(f"label;text\n{TRAIN}")
    (tmp_path / "test.csv").write_text(TEST)
    monkeypatch.chdir(tmp_path)
    settings = config("data=text_file", "data.train=train.csv", "data.test=test.csv")
    data = build_data(settings)
    data.setup()
    classifier = build_classifier(settings, data)
    with torch.no_grad():
        classifier.model.linear.weight.zero_()  # pyright: ignore
        classifier.model.linear.bias.copy_(torch.tensor([0.0, 1.0]))  # pyright: ignore
    folder = tmp_path / "logs" / "first" / "max"
    (folder / "checkpoints").mkdir(parents=True)
    found = {"state_dict": classifier.state_dict(), "textpool": content(settings, data), "epoch": 0}
    torch.save(found, folder / "checkpoints" / "best.ckpt")
    return folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call a command with arguments; its lines on standard output, and its standard error."""

    def called(command, *arguments: str | Path) -> tuple[list[str], str]:
        monkeypatch.setattr("sys.argv", [command.__name__, *map(str, arguments)])
        command.main()
        out, err = capsys.readouterr()
        return out.splitlines(), err

    return called


def test_prediction_is_label_probability_sentence(run, call, monkeypatch):
    """One line per sentence, from arguments or standard input, for a run's folder as for its checkpoint."""
    expected = ["pos\t0.7311\ta Good film", "pos\t0.7311\tbad"]
    assert call(predict, run, "a Good film", "bad") == (expected, "")
    assert call(predict, run / "checkpoints" / "best.ckpt", "a Good film", "bad") == (expected, "")
    monkeypatch.setattr("sys.stdin", io.StringIO("a Good film\nbad\n"))
    assert call(predict, run) == (expected, "")


def test_lines_of_a_file(run, call, tmp_path):
    """In any encoding; a line that cannot be read whole is classified all the same, and noted."""
    (tmp_path / "lines.txt").write_bytes("a Good film\r\nbad\n\n".encode("utf-16"))
    expected = ["pos\t0.7311\ta Good film", "pos\t0.7311\tbad", "pos\t0.7311\t"]
    assert call(predict, run, "--file", tmp_path / "lines.txt", "--encoding", "utf-16") == (expected, "")
    (tmp_path / "lines.txt").write_bytes(b"bad\na b\xe9d film\n")
    out, err = call(predict, run, "--file", tmp_path / "lines.txt", "--unknown")
    assert out == ["pos\t0.7311\tunknown=\tbad", "pos\t0.7311\tunknown=b \ufffd d\ta b\ufffdd film"]
    assert err.startswith("note: 1 lines are not in the encoding utf-8 (line 2): what could not be read is \ufffd")


def test_predictions_as_json(run, call):
    """One object for each sentence."""
    out, err = call(predict, run, "a grat film", "bad", "--json")
    found = [json.loads(line) for line in out]
    assert [each["label"] for each in found] == ["pos", "pos"]
    assert found[0]["unknown"] == ["grat"]
    assert found[0]["sentence"] == "a grat film"
    assert found[0]["probabilities"]["neg"] == pytest.approx(0.2689, abs=1e-4)
    assert err == ""


def test_of_very_many_classes_the_likeliest_are_shown() -> None:
    """As in `predictions.csv`: a line with 10,000 classes had 360 kB."""
    probabilities = {f"c{number}": 0.5 / 100 for number in range(101)} | {"c50": 0.25, "c100": 0.375}
    shown = likeliest(probabilities)
    assert list(shown) == ["c100", "c50", *(f"c{number}" for number in range(8))]
    assert shown["c100"] == 0.375
    few = dict.fromkeys(map(str, range(100)), 0.01)
    assert likeliest(few) == few


def test_sentences_are_read_as_they_are_classified(run, call, monkeypatch):
    """Not all of them at first: there may be more than fit into memory."""
    asked = []

    def lines():
        for number in range(5000):
            asked.append(number)
            yield "a film\n"

    classified = []
    monkeypatch.setattr("sys.stdin", lines())
    monkeypatch.setattr(
        "textpool.inference.predict", lambda _, some: classified.append(len(asked)) or [PREDICTION] * len(some)
    )
    out, _ = call(predict, run)
    assert len(out) == 5000
    assert classified == [1024, 2048, 3072, 4096, 5000]


def learn(run: Path) -> None:
    """Let the classifier of a run read something: its linear layer gets random weights."""
    path = run / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["model.linear.weight"].normal_(generator=torch.Generator().manual_seed(0))
    torch.save(checkpoint, path)


def test_words_are_explained(run, call, tmp_path):
    """With numbers that are those of `explain`, of arguments, of a file and as JSON; class and probability stay."""
    learn(run)
    sentences = ["a good film", "bad"]
    (tmp_path / "lines.txt").write_text("\n".join(sentences))
    out, err = call(predict, run, "--explain", "--file", tmp_path / "lines.txt")
    assert call(predict, run, "--explain", *sentences) == (out, err) == (out, "")
    for line, found in zip(out, explain(load(run / "checkpoints" / "best.ckpt"), sentences), strict=True):
        words = " ".join(f"{word}{share:+.2f}" for word, share in zip(found.words, found.contributions, strict=True))
        assert line == f"{found.label}\t{found.probability:.4f}\t{words}"
        assert len({*found.contributions}) == len(found.words)
    (as_json,), _ = call(predict, run, "--explain", "--json", "a good film")
    content = json.loads(as_json)
    assert content["words"] == ["a", "good", "film"]
    assert sum(content["contributions"]) + content["bias"] == pytest.approx(content["logit"], abs=1e-4)


def test_words_have_colours_on_a_terminal(run, call, monkeypatch):
    """Blue for the class, orange against it, the more the larger the contribution; numbers with NO_COLOR."""
    learn(run)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    (found,) = explain(load(run / "checkpoints" / "best.ckpt"), ["a good film"])
    (line,), _ = call(predict, run, "--explain", "a good film")
    colours = re.findall(r"\x1b\[48;2;(\d+);(\d+);(\d+)m\x1b\[38;2;[\d;]+m(\w+)\x1b\[0m", line)
    assert [word for *_, word in colours] == ["a", "good", "film"]
    for (red, _, blue, _), share in zip(colours, found.contributions, strict=True):
        assert (int(blue) > int(red)) == (share > 0)
    strongest = max(zip(map(abs, found.contributions), colours, strict=True))[1]
    assert strongest[:3] in (("0", "114", "178"), ("213", "94", "0"))
    monkeypatch.setenv("NO_COLOR", "1")
    (line,), _ = call(predict, run, "--explain", "a good film")
    assert line.endswith(f"film{found.contributions[2]:+.2f}")


def test_a_stream_is_explained_line_by_line(run, call, monkeypatch):
    """Each sentence before the next one is read."""
    asked, explained = [], []

    def lines():
        for number in range(3):
            asked.append(number)
            yield "a film\n"

    monkeypatch.setattr("sys.stdin", lines())
    found = explain(load(run / "checkpoints" / "best.ckpt"), ["a film"])
    monkeypatch.setattr("textpool.explain.explain", lambda *_: explained.append(len(asked)) or found)
    out, _ = call(predict, run, "--explain")
    assert len(out) == 3
    assert explained == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--file", "none.txt"], "error: none.txt: cannot be read: No such file or directory"),
        (["--file", "none.txt", "a film"], "error: --file: expected no sentences beside a file"),
        (["a film", "--encoding", "x"], "error: --encoding: expected the name of an encoding, such as utf-8, got 'x'"),
    ],
)
def test_wrong_arguments_of_predict(run, call, arguments, message):
    with pytest.raises(SystemExit) as caught:
        call(predict, run, *arguments)
    assert caught.value.code == message


def test_unknown_words_are_noted(run, call):
    """One note on standard error counts the sentences and shows the words, the most frequent first."""
    out, err = call(predict, run, "a grat film", "grat fun, fun, fun", "a film")
    assert [line.split("\t")[2] for line in out] == ["a grat film", "grat fun, fun, fun", "a film"]
    assert err == (
        "note: 2 of 3 sentences have words that the classifier has not learned: fun grat , "
        "(--unknown shows them for each sentence)\n"
    )


def test_many_unknown_words_are_not_all_shown(run, call):
    """The note stays one readable line for a file of a thousand sentences."""
    _, err = call(predict, run, *(f"w{number:02}" for number in range(12)))
    assert "w08 w09 and 2 more (--unknown" in err


def test_columns_on_request(run, call):
    """The other probabilities and the unknown words stand in front of the sentence, which may contain tabs."""
    out, err = call(predict, run, "--probabilities", "--unknown", "A grat\tnew film", "a film")
    assert out == [
        "pos\t0.7311\tneg=0.2689\tpos=0.7311\tunknown=grat new\tA grat\tnew film",
        "pos\t0.7311\tneg=0.2689\tpos=0.7311\tunknown=\ta film",
    ]
    assert err == ""


@pytest.mark.parametrize("command", [predict, evaluate])
def test_a_study_is_not_a_run(run, call, command):
    """The message shows the runs of the study."""
    with pytest.raises(SystemExit, match=r"error: .*first: no checkpoints/best\.ckpt .* it has the runs .*first/max$"):
        call(command, run.parent)


@pytest.mark.slow
def test_evaluation_of_own_test_split_and_of_a_file(run, call):
    """Metrics of all sentences and of each class, by hand: every sentence is predicted to be pos."""
    classes = {
        "neg": {"precision": 0, "recall": 0, "f1": 0, "count": 1},
        "pos": {"precision": 2 / 3, "recall": 1, "f1": 0.8, "count": 2},
    }
    Path("mine.csv").write_text(TEST.replace(";", "|"))
    for arguments in ([run], [run / "checkpoints" / "best.ckpt", "--delimiter", "|", "mine.csv"]):
        out, _ = call(evaluate, *arguments)
        measured = json.loads("\n".join(out))
        assert (measured["sentences"], measured["test/acc"]) == (3, pytest.approx(2 / 3))
        assert measured["per_class"] == {label: pytest.approx(metrics) for label, metrics in classes.items()}


@pytest.mark.slow
def test_a_broken_line_costs_itself(run, call, capsys, tmp_path):
    """It is told with its number and counted, and the exit status says so; the figures are of the others."""
    broken = 'neg;bad\n;no label\npos;Good!\nmaybe;x\npos;a;b\npos;caf\xe9\nneg;"a "b\nneg;bad\n'
    Path("mine.csv").write_bytes(f"label;text\n{broken}".encode("latin-1"))
    with pytest.raises(SystemExit) as caught:
        call(evaluate, run, "mine.csv", "--figures", "figures")
    assert caught.value.code == 3
    out, err = capsys.readouterr()
    measured = json.loads(out)
    assert (measured["sentences"], measured["skipped"]) == (3, 5)
    assert measured["test/acc"] == pytest.approx(1 / 3)
    assert measured["calibration_error"] == pytest.approx(0.7311 - 1 / 3, abs=1e-4)
    assert err.splitlines() == [
        "skipped: mine.csv:3: line without a label: expected 2 columns separated by ';', 'label' not empty",
        "skipped: mine.csv:6: 3 columns, but the header has 2: is there a ';' in the text? In csv, put such a text in "
        "double quotes",
        "skipped: mine.csv:8: cannot be read as a table from this line on: ';' expected after '\"'",
        "skipped: mine.csv:7: not in the encoding utf-8",
        "skipped: mine.csv:5: label 'maybe' is none of the classifier's: 'neg', 'pos'",
        "figures: figures",
    ]
    assert len(list(Path("figures").glob("*.png"))) == 3
    Path("none.csv").write_text("label;text\nmaybe;x\n")
    with pytest.raises(SystemExit, match=r"error: none\.csv: expected at least one sentence that can be read"):
        call(evaluate, run, "none.csv")


@pytest.mark.slow
def test_a_run_on_own_text_from_file_to_evaluation(tmp_path, call, caplog, monkeypatch):
    """A file with semicolons and ordinary text: summary, texts and metrics of each class, again by `evaluate`."""
    monkeypatch.chdir(tmp_path)
    lines = [f"{'pos' if i % 2 else 'neg'};{'Good' if i % 2 else 'Bad'} film, number {i}!" for i in range(40)]
    Path("mine.csv").write_text("\n".join(["label;text", *lines]))
    overrides = ("data=text_file", "data.train=mine.csv", "trainer.max_epochs=2", "~logger")
    folder = tmp_path / "logs" / "mine" / "max"
    with caplog.at_level("INFO", logger="textpool.data.summary"):
        result = train(compose_config(*overrides), Run(folder, facts_of_command(*overrides), overrides))
    assert "data: 32 training, 4 validation and 4 test sentences, 2 classes, vocabulary of 8 tokens" in caplog.text
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(f"{row['label']};{row['text']}" in lines for row in rows)
    assert {label: metrics["count"] for label, metrics in result.per_class.items()} == {"neg": 2, "pos": 2}
    for label, metrics in result.per_class.items():
        found = [row["predicted"] == label for row in rows if row["label"] == label]
        assert metrics["recall"] == sum(found) / len(found)
    out, _ = call(evaluate, folder)
    measured = json.loads("\n".join(out))
    assert measured["per_class"] == result.per_class
    assert measured["test/acc"] == pytest.approx(result.metrics["test/acc"])


def test_population_is_of_diagnostic_tasks(run, call):
    """The message says so for other data, and for a file."""
    with pytest.raises(SystemExit, match="error: population: expected a classifier of a diagnostic task, got one of T"):
        call(evaluate, run, "--population")
    with pytest.raises(SystemExit, match="error: --population: expected no file, because the sentences are"):
        call(evaluate, run, "test.csv", "--population")


def test_options_of_evaluation_are_checked(run, call):
    """The message names the option and what is allowed."""
    with pytest.raises(SystemExit, match="error: delimiter: expected comma, semicolon, tab or one character"):
        call(evaluate, run, "test.csv", "--delimiter", ";;")
    with pytest.raises(SystemExit, match=r"error: test.csv:1: no column 'text': the header has 'label;text'"):
        call(evaluate, run, "test.csv", "--delimiter", "comma")
