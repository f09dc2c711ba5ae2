"""A user's own sentences: fair parts, and a vocabulary that has seen the training part only."""

import logging
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.data import Sentence, Splits, TextFileData
from textpool.data.reading import Row
from textpool.data.text_file import hold_out


def save(path: Path, *lines: str) -> str:
    """Write a file, and return its name."""
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def numbered(path: Path, **sizes: int) -> str:
    """A file sorted by class, each sentence a number of its own."""
    labels = [label for label, size in sizes.items() for _ in range(size)]
    return save(path, *(f"{label} w{number:03}" for number, label in enumerate(labels)))


def ready(train: str, **changes: Any) -> TextFileData:
    """The data of a file, loaded and numbered."""
    data = TextFileData(train, **changes)
    data.setup()
    return data


def in_two_files(folder: Path, train: list[str], other: list[str], **changes: Any) -> TextFileData:
    """Sentences to train on, and others to validate and to test on."""
    held_out = save(folder / "other.txt", *other)
    return ready(save(folder / "train.txt", *train), val=held_out, test=held_out, **changes)


def sizes(rows: list[Sentence]) -> dict[str, int]:
    """Sentences by class."""
    return Counter(label for _, label in rows)


def starts_with(text: str) -> str:
    """A pattern for messages that start so."""
    return "^" + re.escape(text)


def test_parts_of_one_file(tmp_path):
    """Of a file sorted by class each part gets its share of each class; all sentences are used, in their order."""
    splits = TextFileData(numbered(tmp_path / "a.txt", neg=60, pos=40), val_fraction=0.2, test_fraction=0.1).load()
    assert sizes(splits.test) == {"neg": 6, "pos": 4}
    assert sizes(splits.val) == {"neg": 12, "pos": 8}
    assert sizes(splits.train) == {"neg": 42, "pos": 28}
    words = [[words[0] for words, _ in part] for part in splits]
    assert sorted(words[0] + words[1] + words[2]) == [f"w{number:03}" for number in range(100)]
    assert all(part == sorted(part) for part in words)


def test_parts_hang_on_their_seed_only(tmp_path):
    """The seed of the training, or another number of words, must not change which sentences are tested."""
    path = numbered(tmp_path / "a.txt", a=30, b=30)
    splits = TextFileData(path).load()
    random.seed(1)
    assert TextFileData(path, shuffle_seed=7, batch_size=3, max_length=1).load() == splits
    other = TextFileData(path, seed=43).load()
    assert other.test != splits.test
    assert other.val != splits.val


def test_test_part_stays_when_the_validation_part_changes(tmp_path):
    """Trying another `val_fraction` does not move sentences between training and test."""
    path = numbered(tmp_path / "a.txt", a=30, b=30)
    assert TextFileData(path, val_fraction=0.3).load().test == TextFileData(path, val_fraction=0.1).load().test


@given(
    labels=st.lists(st.sampled_from("aaabbcde"), max_size=60),
    share=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**32),
)
def test_hold_out_is_stratified(labels, share, seed):
    """Nothing is lost or doubled, no class leaves the training part, and the share is right to one sentence."""
    rows = [Row(f"text {line}", label, line) for line, label in enumerate(labels, start=1)]
    stay, held_out = hold_out(rows, share, random.Random(seed))
    assert sorted(stay + held_out, key=lambda row: row.line) == rows
    assert [stay, held_out] == [sorted(part, key=lambda row: row.line) for part in (stay, held_out)]
    n, left = Counter(labels), Counter(row.label for row in stay)
    assert left.keys() == n.keys()
    spare = len(rows) - len(n)
    assert len(held_out) == min(round(share * len(rows)), spare)
    for label, count in n.items():
        assert spare == 0 or abs(count - left[label] - len(held_out) * (count - 1) / spare) < 1
    assert hold_out(rows, share, random.Random(seed)) == (stay, held_out)


def test_hold_out_of_many_small_classes():
    """Shares are right over all classes: a tenth of 10 classes with 4 sentences each is 4 sentences, not none."""
    rows = [Row("", str(line // 4), line) for line in range(40)]
    stay, held_out = hold_out(rows, 0.1, random.Random(0))
    assert (len(stay), len(held_out)) == (36, 4)
    assert len({row.label for row in held_out}) == 4


def test_given_parts_are_used_whole(tmp_path):
    """With `val` and `test` given nothing is held out of the training file."""
    train = numbered(tmp_path / "a.txt", a=20, b=20)
    other = save(tmp_path / "b.csv", "text,label", "x,b", "y,a", "z,b")
    splits = TextFileData(train, val=other, test=other).load()
    assert len(splits.train) == 40
    assert splits.val == splits.test == [Sentence(["x"], "b"), Sentence(["y"], "a"), Sentence(["z"], "b")]


@pytest.mark.parametrize(("given_part", "expected"), [("test", [32, 8, 2]), ("val", [36, 2, 4])])
def test_one_given_part(tmp_path, given_part, expected):
    """Only the part that is not given is held out, and its share is of the whole training file."""
    train = numbered(tmp_path / "a.txt", a=20, b=20)
    other = save(tmp_path / "b.txt", "a x", "b y")
    given_file: dict[str, Any] = {given_part: other}
    data = TextFileData(train, val_fraction=0.2, test_fraction=0.1, **given_file)
    assert [len(part) for part in data.load()] == expected


def test_given_part_may_lack_a_class(tmp_path):
    """Class numbers are those of the training part, whatever the other parts hold."""
    data = in_two_files(tmp_path, ["10 x", "2 y", "1 z"], ["10 x", "2 y"])
    assert data.labels == ["1", "2", "10"]
    assert data.encoded["test"].labels.tolist() == [2, 1]


def test_vocabulary_is_of_the_training_part(tmp_path):
    """Words of the test part that training never saw are `<UNK>`, token 1."""
    data = in_two_files(tmp_path, ["neg bad film", "pos good film"], ["pos good show"])
    assert data.vocabulary.words == ["<PAD>", "<UNK>", "bad", "film", "good"]
    assert data.encoded["test"][0].tokens.tolist() == [[4, 1]]


def test_held_out_words_are_not_in_the_vocabulary(tmp_path):
    """Likewise where the parts are held out of one file."""
    data = ready(numbered(tmp_path / "a.txt", a=30, b=30))
    assert data.vocabulary.words[2:] == [words[0] for words, _ in data.splits.train]
    for part in ("val", "test"):
        assert set(data.encoded[part].tokens.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("changes", "words", "tokens"),
    [
        ({}, ["Good", "Good,", "bad", "good"], [[3, 2, 1]]),
        ({"lowercase": True}, ["bad", "good", "good,"], [[4, 3, 1]]),
        ({"token_pattern": r"\w+|[^\w\s]"}, [",", "Good", "bad", "good"], [[3, 2, 3, 1]]),
        ({"token_pattern": r"\w+", "lowercase": True}, ["bad", "good"], [[3, 3, 1]]),
        ({"token_pattern": r"\w+", "lowercase": True, "min_freq": 2}, ["good"], [[2, 2, 1]]),
        ({"token_pattern": r"\w+", "lowercase": True, "max_size": 3}, ["good"], [[2, 2, 1]]),
        ({"max_length": 1}, ["Good,", "bad"], [[2]]),
        ({"max_length": 5, "pad_to": "max_length"}, ["Good", "Good,", "bad", "good"], [[3, 2, 1, 0, 0]]),
    ],
)
def test_settings_of_the_words(tmp_path, changes, words, tokens):
    """Each setting of words reaches vocabulary and batches."""
    data = in_two_files(tmp_path, ["pos Good, good", "neg bad Good"], ["pos Good, Good new"], **changes)
    assert data.vocabulary.words == ["<PAD>", "<UNK>", *words]
    [batch] = data.test_dataloader()
    assert batch.tokens.tolist() == tokens


def test_settings_of_the_files(tmp_path):
    """Format, encoding and columns hold for all files alike."""
    paths = [tmp_path / name for name in ("train", "val.dat", "test.txt")]
    for path in paths:
        path.write_bytes("class\tsentence\n1\tcafé\n2\tthé\n".encode("cp1252"))
    train, val, test = map(str, paths)
    how: dict[str, Any] = {"encoding": "cp1252", "text_column": "sentence", "label_column": "class"}
    data = TextFileData(train, test, val, format="tsv", **how)
    assert all(part == [Sentence(["café"], "1"), Sentence(["thé"], "2")] for part in data.load())


def test_configuration_has_the_defaults_of_the_class(config, tmp_path):
    """`data=text_file` and the class agree on every setting, so that either may be read."""
    path = numbered(tmp_path / "a.txt", a=20, b=20)
    chosen = config("data=text_file", f"data.train={path}")["data"]
    assert chosen.pop("_target_") == "textpool.data.TextFileData"
    configured, plain = vars(TextFileData(**chosen)), vars(TextFileData(path))
    assert vars(configured.pop("tokenize")) == vars(plain.pop("tokenize"))
    assert configured == plain


def test_empty_sentences_of_a_file_are_kept(tmp_path, caplog):
    """A label alone is an empty sentence; so is a text in which the pattern finds no word."""
    with caplog.at_level(logging.WARNING):
        data = in_two_files(tmp_path, ["pos good", "neg", "pos ..."], ["neg"], token_pattern=r"\w+")
    assert [len(data.encoded[part]) for part in Splits._fields] == [3, 1, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "4 of 5 sentences are empty: kept, and pooled to zeros"
    ]


@pytest.mark.parametrize("part", ["test", "val"])
def test_label_that_training_never_saw_is_named(tmp_path, part):
    """File and line of the label, and the labels that there are."""
    train = numbered(tmp_path / "a.txt", neg=20, pos=20)
    other = save(tmp_path / "b.csv", "text,label", '"x', 'y",pos', "z,Pos")
    message = f"{other}:4: label 'Pos' does not occur in {train}, which has 'neg', 'pos'"
    with pytest.raises(ValueError, match=starts_with(message) + "$"):
        ready(train, **{part: other})


def test_only_ten_of_many_labels_are_listed(tmp_path):
    """The message stays readable with hundreds of classes."""
    lines = [f"l{number:02} word" for number in range(12)]
    with pytest.raises(ValueError, match=r"other.txt:1: label 'x' .* has 'l00', .*, 'l09', …$"):
        in_two_files(tmp_path, lines, ["x word"])


def test_one_class_is_refused(tmp_path):
    """There is nothing to tell apart in a file of one class."""
    path = numbered(tmp_path / "a.txt", pos=30)
    with pytest.raises(
        ValueError, match=starts_with(f"{path}: expected sentences of at least two classes, got only 'pos'")
    ):
        ready(path)


@pytest.mark.parametrize(
    ("changes", "part"),
    [({}, "test"), ({"test_fraction": 0.5}, "val"), ({"test_fraction": 0.5, "val_fraction": 0.0}, "val")],
)
def test_file_too_small_for_its_parts_is_refused(tmp_path, changes, part):
    """An empty part is an error that names the ways out."""
    path = numbered(tmp_path / "a.txt", a=2, b=2)
    with pytest.raises(
        ValueError, match=starts_with(f"{path}: ") + f".*give data.{part}, or a larger data.{part}_frac"
    ):
        ready(path, **changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("train", {"train": None}),
        ("val_fraction", {"val_fraction": 1.0}),
        ("test_fraction", {"test_fraction": -0.1}),
        ("val_fraction + test_fraction", {"val_fraction": 0.5, "test_fraction": 0.5}),
        ("seed", {"seed": -1}),
        ("format", {"format": "xml"}),
        ("token_pattern", {"token_pattern": "["}),
        ("min_freq", {"min_freq": 0}),
        ("max_size", {"max_size": 2}),
        ("batch_size", {"batch_size": 0}),
    ],
)
def test_bad_setting_of_files_is_named(tmp_path, name, changes):
    """Whoever mistypes a setting reads its name and what is allowed."""
    train = numbered(tmp_path / "a.txt", a=20, b=20)
    with pytest.raises(ValueError, match=f"^{re.escape(name)}: expected .*got "):
        ready(**{"train": train, **changes})
