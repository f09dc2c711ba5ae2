"""The summary before training: values counted by hand, short for generated data, logged once."""

import logging
from pathlib import Path

import pytest

from textpool.data import Sentence, SentenceData, Splits
from textpool.data.summary import MOST_CLASSES, log_summary, summarize


class Written(SentenceData):
    """Natural text, given as lines of the form «label word word …»."""

    natural_text = True

    def __init__(self, train: list[str], val: list[str], test: list[str]) -> None:
        super().__init__()
        self.lines = (train, val, test)

    def load(self) -> Splits:
        return Splits(*([Sentence(line.split()[1:], line.split()[0]) for line in lines] for lines in self.lines))


def ready(train: list[str], val: list[str], test: list[str], natural: bool = True) -> Written:
    data = Written(train, val, test)
    data.natural_text = natural
    data.setup()
    return data


TRAIN = ["pos a b", "neg a c", "neg a b c d"]
VAL = ["pos a b", "pos a"]
TEST = ["neg a c", "pos a new one", "neg a b"]


def test_summary_by_hand():
    """Classes and sizes of the splits, lengths of all sentences, unknown words: 2 of the 7 of the test split."""
    assert summarize(ready(TRAIN, VAL, TEST)).split("\n") == [
        "data: 3 training, 2 validation and 3 test sentences, 2 classes, vocabulary of 6 tokens",
        "  classes (training/validation/test): neg 2/0/2, pos 1/2/1",
        "  length: median 2, maximum 4 words",
        "  unknown words: 28.6% of the words of the test split are not in the vocabulary",
    ]


def test_summary_of_generated_data_is_one_line():
    """Generated sentences repeat on purpose and have no unknown words."""
    text = "data: 3 training, 2 validation and 3 test sentences, 2 classes, vocabulary of 6 tokens"
    assert summarize(ready(TRAIN, VAL, TEST, natural=False)) == text


def test_many_classes_are_not_all_listed():
    """The line of the classes stays readable with hundreds of them."""
    train = [f"{number} a" for number in range(MOST_CLASSES + 3)]
    [classes] = [line for line in summarize(ready(train, ["0 a"], ["0 a"])).split("\n") if "classes (" in line]
    assert classes.endswith("11 1/0/0 and 3 more")


def test_empty_sentences_can_be_summarized():
    """A test split without any word has no unknown words."""
    text = summarize(ready(["pos a", "neg"], ["pos"], ["neg"]))
    assert "median 0, maximum 1 words" in text
    assert "unknown words: 0.0%" in text


def test_summary_and_notes_are_logged_once_in_a_sweep(caplog: pytest.LogCaptureFixture, tmp_path: Path):
    """The jobs of a sweep, in whatever process, share a folder; other data have another summary."""
    with caplog.at_level(logging.INFO, logger="textpool.data.summary"):
        for word in ("once", "once", "twice too"):
            data = ready([*TRAIN, f"pos {word}"], VAL, TEST)
            data.notes = ["first note", "second note"]
            log_summary(data, tmp_path)
    levels = [record.levelname for record in caplog.records]
    assert levels == ["INFO", "WARNING", "INFO"]
    assert caplog.records[1].getMessage() == "warning: first note\n  second note"


def test_runs_alone_log_their_summary(caplog: pytest.LogCaptureFixture):
    """A run that is no part of a sweep has it in its own log; without notes there is no warning."""
    with caplog.at_level(logging.INFO, logger="textpool.data.summary"):
        for _ in range(2):
            log_summary(ready(TRAIN, VAL, TEST))
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]


def test_summary_is_logged_where_nothing_can_be_written(caplog: pytest.LogCaptureFixture, tmp_path: Path):
    """Rather twice than never."""
    with caplog.at_level(logging.INFO, logger="textpool.data.summary"):
        log_summary(ready(TRAIN, VAL, TEST), tmp_path / "removed")
    assert len(caplog.records) == 1
