"""A user's own sentences: stratified splits, and a vocabulary from the training split only."""

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.data import Sentence, Splits, TextFileData
from textpool.data.reading import FileOptions, LabelledText
from textpool.data.splitting import hold_out, split_into_folds


def save(path: Path, *lines: str) -> str:
    """Write a file, and return its path."""
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def numbered(path: Path, **sizes: int) -> str:
    """A file sorted by class, with a different word in each sentence."""
    labels = [label for label, size in sizes.items() for _ in range(size)]
    return save(path, *(f"{label} w{number:03}" for number, label in enumerate(labels)))


def ready(train: str, **changes: Any) -> TextFileData:
    """The data of a file, after `setup`."""
    data = TextFileData(train, **changes)
    data.setup()
    return data


def in_two_files(folder: Path, train: list[str], other: list[str], **changes: Any) -> TextFileData:
    """Data with one file for training and another one for validation and testing."""
    held_out = save(folder / "other.txt", *other)
    return ready(save(folder / "train.txt", *train), val=held_out, test=held_out, **changes)


def sizes(sentences: list[Sentence]) -> dict[str, int]:
    """Number of sentences per class."""
    return Counter(label for _, label in sentences)


def line_of(text: LabelledText) -> int:
    """A key by which no two texts are identical."""
    return text.line


def starts_with(text: str) -> str:
    """A regular expression for messages that start with a text."""
    return "^" + re.escape(text)


def test_splits_of_one_file(tmp_path):
    """Each split has its share of each class of a file sorted by class; all sentences are used, in file order."""
    splits = TextFileData(numbered(tmp_path / "a.txt", neg=60, pos=40), val_fraction=0.2, test_fraction=0.1).load()
    assert sizes(splits.test) == {"neg": 6, "pos": 4}
    assert sizes(splits.val) == {"neg": 12, "pos": 8}
    assert sizes(splits.train) == {"neg": 42, "pos": 28}
    words = [[words[0] for words, _ in split] for split in splits]
    assert sorted(words[0] + words[1] + words[2]) == [f"w{number:03}" for number in range(100)]
    assert all(split == sorted(split) for split in words)


def test_splits_depend_on_their_seed_only(tmp_path):
    """The seed of the training and the settings of batches do not change which sentences are in the test split."""
    path = numbered(tmp_path / "a.txt", a=30, b=30)
    splits = TextFileData(path).load()
    random.seed(1)
    assert TextFileData(path, shuffle_seed=7, batch_size=3, max_length=1).load() == splits
    other = TextFileData(path, seed=43).load()
    assert other.test != splits.test
    assert other.val != splits.val


def test_size_of_validation_split_does_not_change_test_split(tmp_path):
    """Another `val_fraction` moves no sentence into or out of the test split."""
    path = numbered(tmp_path / "a.txt", a=30, b=30)
    assert TextFileData(path, val_fraction=0.3).load().test == TextFileData(path, val_fraction=0.1).load().test


@given(
    labels=st.lists(st.sampled_from("aaabbcde"), max_size=60),
    share=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**32),
)
def test_hold_out_is_stratified(labels, share, seed):
    """No text is lost or repeated, every class remains in training, and each share is correct to within one text."""
    texts = [LabelledText(f"text {line}", label, line) for line, label in enumerate(labels, start=1)]
    remaining, held_out = hold_out(texts, share, random.Random(seed), line_of)
    assert sorted(remaining + held_out, key=lambda text: text.line) == texts
    assert [remaining, held_out] == [sorted(half, key=lambda text: text.line) for half in (remaining, held_out)]
    n, left = Counter(labels), Counter(text.label for text in remaining)
    assert left.keys() == n.keys()
    spare = len(texts) - len(n)
    assert len(held_out) == min(round(share * len(texts)), spare)
    for label, count in n.items():
        assert spare == 0 or abs(count - left[label] - len(held_out) * (count - 1) / spare) < 1
    assert hold_out(texts, share, random.Random(seed), line_of) == (remaining, held_out)


def test_hold_out_of_many_small_classes():
    """A tenth of 10 classes with 4 texts each is 4 texts in all, although a tenth of each class rounds to 0."""
    texts = [LabelledText("", str(line // 4), line) for line in range(40)]
    remaining, held_out = hold_out(texts, 0.1, random.Random(0), line_of)
    assert (len(remaining), len(held_out)) == (36, 4)
    assert len({text.label for text in held_out}) == 4


@given(
    labels=st.lists(st.sampled_from("aaabbcde"), max_size=60),
    share=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**32),
)
def test_files_without_duplicates_are_split_as_ever(labels, share, seed):
    """Results of earlier versions stay reproducible: this is how they drew the held-out texts."""
    rng, by_label = random.Random(seed), {}
    for index, label in enumerate(labels):
        by_label.setdefault(label, []).append(index)
    candidates = []
    for members in by_label.values():
        rng.shuffle(members)
        candidates += members[1:]
    n = min(round(share * len(labels)), len(candidates))
    expected = sorted(candidates[(2 * i + 1) * len(candidates) // (2 * n)] for i in range(n))
    texts = [LabelledText("", label, line) for line, label in enumerate(labels)]
    _, held_out = hold_out(texts, share, random.Random(seed), line_of)
    assert [text.line for text in held_out] == expected


@given(
    texts=st.lists(st.tuples(st.integers(0, 25), st.sampled_from("aab")), max_size=60),
    share=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**32),
)
def test_hold_out_keeps_identical_texts_together(texts, share, seed):
    """No text stands on both sides, every class remains in training, and no share is exceeded."""
    labelled = [LabelledText(str(word), label, line) for line, (word, label) in enumerate(texts)]
    remaining, held_out = hold_out(labelled, share, random.Random(seed), lambda text: text.text)
    assert sorted(remaining + held_out, key=line_of) == labelled
    assert not {text.text for text in remaining} & {text.text for text in held_out}
    assert {text.label for text in remaining} == {text.label for text in labelled}
    assert len(held_out) <= round(share * len(labelled))


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_exact_where_single_texts_can_fill_them(seed):
    """30 % of the texts are pairs, as in MPQA: a tenth of each class is held out all the same."""
    words = [*range(70), *(number // 2 for number in range(140, 170))]
    labelled = [LabelledText(f"{label}{word}", label, 0) for label in "ab" for word in words]
    remaining, held_out = hold_out(labelled, 0.1, random.Random(seed), lambda text: text.text)
    assert Counter(text.label for text in held_out) == {"a": 10, "b": 10}
    assert not set(remaining) & set(held_out)


def test_file_of_pairs_has_its_share_too():
    """Each of 20 classes has four texts in two pairs: none has room for a pair in its own share, all together have."""
    labelled = [LabelledText(str(line // 2), str(line // 4), line) for line in range(80)]
    _, held_out = hold_out(labelled, 0.25, random.Random(0), lambda text: text.text)
    assert len(held_out) == 20


def test_each_sentence_is_in_the_test_split_of_one_fold(tmp_path):
    """Each fold has its share of each class; training and validation split share the rest, and the seed draws anew."""
    path = numbered(tmp_path / "a.txt", neg=60, pos=40)
    splits = [ready(path, folds=5, fold=fold).splits for fold in range(5)]
    tested = [sentence for split in splits for sentence in split.test]
    assert sorted(tested) == sorted(ready(path, folds=5, fold=0).splits.train + splits[0].val + splits[0].test)
    for split in splits:
        assert sizes(split.test) == {"neg": 12, "pos": 8}
        assert len(split.val) == 10
        assert len({*map(str, split.train), *map(str, split.val), *map(str, split.test)}) == 100
    assert ready(path, folds=5, fold=0, seed=1).splits.test != splits[0].test


@given(
    texts=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=60),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 9),
)
def test_folds_keep_identical_texts_together(texts, n_folds, seed):
    """Whatever their labels."""
    labelled = [LabelledText(str(text), label, line) for line, (label, text) in enumerate(texts)]
    folds = split_into_folds(labelled, n_folds, random.Random(seed), lambda text: text.text)
    assert len(set(zip([text.text for text in labelled], folds, strict=True))) == len({text for _, text in texts})


@given(labels=st.text("abc", max_size=60), n_folds=st.integers(2, 6), seed=st.integers(0, 9))
def test_folds_are_stratified(labels, n_folds, seed):
    """Without duplicates, the folds have equal numbers of texts, of each class and in all, to within one text."""
    texts = [LabelledText(f"w{line}", label, line) for line, label in enumerate(labels)]
    folds = split_into_folds(texts, n_folds, random.Random(seed), line_of)
    for chosen in ("a", "b", "c", "abc"):
        counts = Counter(fold for fold, label in zip(folds, labels, strict=True) if label in chosen)
        found = [counts[fold] for fold in range(n_folds)]
        assert max(found) - min(found) <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": 1, "fold": 0}, "folds: expected an integer of at least 2, got 1"),
        ({"fold": 0}, "folds: expected the number of folds, such as 10, with fold=0, got None"),
        ({"folds": 5}, "fold: expected an integer from 0 to 4, got None: 'data.fold=range(5)' with -m runs all folds"),
        ({"folds": 5, "fold": 5}, "fold: expected an integer from 0 to 4, got 5"),
    ],
)
def test_wrong_folds_are_refused(changes, message):
    with pytest.raises(ValueError, match=starts_with(message)):
        TextFileData("train.txt", **changes)


def test_folds_need_no_test_file(tmp_path):
    path = numbered(tmp_path / "a.txt", neg=20, pos=20)
    with pytest.raises(ValueError, match=starts_with("data.folds: expected data.test=null, because each fold")):
        ready(path, test=path, folds=2, fold=0)


def test_a_class_with_one_sentence_has_no_folds(tmp_path):
    path = save(tmp_path / "a.txt", *(f"{'ab'[n % 2]} w{n}" for n in range(20)), "c alone")
    data = TextFileData(path, folds=2, fold=0)
    message = f"{path}:21: all sentences with the label 'c' are in one fold: expected at least two different ones"
    with pytest.raises(ValueError, match=starts_with(message)):
        data.setup()


def test_identical_sentences_are_in_one_split(tmp_path):
    """Identical as the model reads them: the same tokens in lower case, of which `max_length` keeps the first."""
    lines = [f"{'ab'[n % 2]} word{n % 30} {['Good', 'good'][n % 3 > 0]}! {n if n < 60 else ''}" for n in range(300)]
    path = save(tmp_path / "a.txt", *lines)
    for seed in range(5):
        splits = ready(path, seed=seed, max_length=3).splits
        train, val, test = ({tuple(words) for words, _ in split} for split in splits)
        assert len(train | val | test) == 30
        assert not train & val | train & test | val & test
        assert [len(split) for split in splits] == [240, 30, 30]
    first = TextFileData(path, seed=1).load()
    assert TextFileData(path, seed=1).load() == first
    assert TextFileData(path, seed=2).load() != first


def test_duplicates_are_noted_with_their_lines(tmp_path):
    """Counted by hand in three files: repetitions, sentences with different labels, test sentences of the training."""
    train = save(tmp_path / "train.txt", "a One two", "a one  TWO", "b one two", "b three", "a four", "a", "b five")
    val = save(tmp_path / "val.txt", "a new")
    test = save(tmp_path / "test.txt", "a three", "a six", "b", "a Five", "b six")
    assert ready(train, val=val, test=test).notes == [
        f"{train}: 2 of 7 sentences occur earlier in the file ({train}:1 and {train}:2; {train}:1 and {train}:3)",
        f"{test}: 1 of 5 sentences occur earlier in the file ({test}:2 and {test}:5)",
        "5 sentences have different labels in different places "
        f"('a' in {train}:1 and 'b' in {train}:3; 'b' in {train}:4 and 'a' in {test}:1; "
        f"'a' in {train}:6 and 'b' in {test}:3; …)",
        f"{test}: 3 of 5 test sentences occur in the training file ({test}:1 and {train}:4; {test}:3 and {train}:6; "
        f"{test}:4 and {train}:7); none is moved: the test split is the whole file",
        f"2 of 13 sentences are empty ({train}:6, {test}:3): they are kept, and pooled to zeros",
    ]


def test_notes_do_not_depend_on_the_split(tmp_path):
    """A sweep over seeds of the split says once what is in the file; a file without duplicates has nothing to say."""
    path = save(tmp_path / "a.txt", *(f"{'ab'[n % 2]} word{n % 50}" for n in range(60)))
    notes = [ready(path, seed=seed).notes for seed in range(3)]
    assert notes[0] == notes[1] == notes[2]
    [note] = notes[0]
    assert note.startswith(f"{path}: 10 of 60 sentences occur earlier in the file ({path}:1 and {path}:51; ")
    assert note.endswith("; …); identical sentences are kept in one split")
    assert not ready(numbered(tmp_path / "b.txt", a=30, b=30)).notes


def test_test_file_that_is_the_training_file(tmp_path):
    """The most complete overlap is told as well."""
    path = numbered(tmp_path / "a.txt", a=20, b=20)
    [note] = ready(path, test=path).notes
    assert note.startswith(f"{path}: 40 of 40 test sentences occur in the training file ({path}:1 and {path}:1; ")


def test_given_files_are_used_completely(tmp_path):
    """With files for validation and test, all sentences of the training file are for training."""
    train = numbered(tmp_path / "a.txt", a=20, b=20)
    other = save(tmp_path / "b.csv", "text,label", "x,b", "y,a", "z,b")
    splits = TextFileData(train, val=other, test=other).load()
    assert len(splits.train) == 40
    assert splits.val == splits.test == [Sentence(["x"], "b"), Sentence(["y"], "a"), Sentence(["z"], "b")]


@pytest.mark.parametrize(("given_split", "expected"), [("test", [32, 8, 2]), ("val", [36, 2, 4])])
def test_one_given_split(tmp_path, given_split, expected):
    """Only the split without a file is held out, and it is a share of the whole training file."""
    train = numbered(tmp_path / "a.txt", a=20, b=20)
    other = save(tmp_path / "b.txt", "a x", "b y")
    given_file: dict[str, Any] = {given_split: other}
    data = TextFileData(train, val_fraction=0.2, test_fraction=0.1, **given_file)
    assert [len(split) for split in data.load()] == expected


def test_given_file_may_lack_a_class(tmp_path):
    """Class numbers come from the training split, also where another split lacks a class."""
    data = in_two_files(tmp_path, ["10 x", "2 y", "1 z"], ["10 x", "2 y"])
    assert data.labels == ["1", "2", "10"]
    assert data.encoded["test"].labels.tolist() == [2, 1]


def test_vocabulary_comes_from_the_training_split(tmp_path):
    """Words that occur only in the test split are `<UNK>`, token 1."""
    data = in_two_files(tmp_path, ["neg bad film", "pos good film"], ["pos good show"], min_freq=1)
    assert data.vocabulary.words == ["<PAD>", "<UNK>", "bad", "film", "good"]
    assert data.encoded["test"][0].tokens.tolist() == [[4, 1]]


def test_held_out_words_are_not_in_the_vocabulary(tmp_path):
    """Words of held-out sentences are unknown too, although they are in the training file."""
    data = ready(numbered(tmp_path / "a.txt", a=30, b=30), min_freq=1)
    assert data.vocabulary.words[2:] == [words[0] for words, _ in data.splits.train]
    for split in ("val", "test"):
        assert set(data.encoded[split].tokens.tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("changes", "words", "tokens"),
    [
        ({}, ["good"], [[2, 1, 2, 1]]),
        ({"lowercase": False}, ["Good"], [[2, 1, 2, 1]]),
        ({"min_freq": 1}, [",", "bad", "good"], [[4, 2, 4, 1]]),
        ({"min_freq": 1, "tokens": "spaces"}, ["bad", "good", "good,"], [[4, 3, 1]]),
        ({"min_freq": 1, "tokens": "spaces", "lowercase": False}, ["Good", "Good,", "bad", "good"], [[3, 2, 1]]),
        ({"min_freq": 1, "tokens": r"\w+"}, ["bad", "good"], [[3, 3, 1]]),
        ({"tokens": r"\w+"}, ["good"], [[2, 2, 1]]),
        ({"min_freq": 1, "tokens": r"\w+", "max_size": 3}, ["good"], [[2, 2, 1]]),
        ({"min_freq": 1, "max_length": 1}, ["bad", "good"], [[3]]),
        ({"max_length": 5, "pad_to": "max_length"}, ["good"], [[2, 1, 2, 1, 0]]),
    ],
)
def test_settings_of_tokenizer_and_vocabulary(tmp_path, changes, words, tokens):
    """Each setting of tokeniser and vocabulary has its effect on vocabulary and batches."""
    data = in_two_files(tmp_path, ["pos Good, good", "neg bad Good"], ["pos Good, Good new"], **changes)
    assert data.vocabulary.words == ["<PAD>", "<UNK>", *words]
    [batch] = data.test_dataloader()
    assert batch.tokens.tolist() == tokens


def test_settings_of_the_files(tmp_path):
    """Format, encoding, columns and delimiter are used for all three files, and for `read`."""
    paths = [tmp_path / name for name in ("train", "val.dat", "test.txt")]
    for path in paths:
        path.write_bytes("class|sentence\n1|café\n2|thé\n".encode("cp1252"))
    train, val, test = map(str, paths)
    columns = {"text_column": "sentence", "label_column": "class"}
    how: dict[str, Any] = {"encoding": "cp1252", "delimiter": "|", **columns}
    data = TextFileData(train, test, val, format="tsv", **how)
    expected = [Sentence(["café"], "1"), Sentence(["thé"], "2")]
    assert all(split == expected for split in data.load())
    assert data.file_options == FileOptions("tsv", "cp1252", "sentence", "class", "|")
    data.restore(["<PAD>", "<UNK>"], ["1", "2"])
    assert data.read(test) == expected


def test_restored_data_need_no_training_file(tmp_path):
    """A classifier is used without the files of its training, with its own tokeniser."""
    data = TextFileData("missing.csv", tokens=r"\w+")
    data.restore(["<PAD>", "<UNK>", "good"], ["neg", "pos"])
    assert data.encode_texts(["Good, GOOD!"])[0].tokens.tolist() == [[2, 2]]
    path = save(tmp_path / "a.txt", "pos Good, new!")
    assert data.read(path) == [Sentence(["good", "new"], "pos")]


def test_texts_are_those_of_the_file(tmp_path):
    """The texts of a split are as in its file, in the order of its sentences, not cut and not in lower case."""
    data = in_two_files(tmp_path, ["neg So bad!", "pos fine"], ["pos A  fine film."], max_length=1)
    assert data.splits.test == [Sentence(["a"], "pos")]
    assert data.texts("test") == data.texts("val") == ["A  fine film."]
    assert data.texts("train") == ["So bad!", "fine"]
    path = numbered(tmp_path / "a.txt", a=30, b=30)
    held_out = ready(path)
    for split in Splits._fields:
        assert held_out.texts(split) == [" ".join(words) for words, _ in getattr(held_out.splits, split)]


def test_rare_words_train_the_unknown_word(tmp_path):
    """With the defaults, `<UNK>` occurs in the training split, so that its embedding is trained."""
    data = in_two_files(tmp_path, ["neg so bad", "pos so good"], ["pos good"])
    assert data.vocabulary.words == ["<PAD>", "<UNK>", "so"]
    assert data.encoded["train"].tokens.tolist()[:4] == [2, 1, 2, 1]


def test_configuration_has_the_defaults_of_the_class(config, tmp_path):
    """The defaults of `data=text_file` are those of the class."""
    path = numbered(tmp_path / "a.txt", a=20, b=20)
    chosen = config("data=text_file", f"data.train={path}")["data"]
    assert chosen.pop("_target_") == "textpool.data.TextFileData"
    configured, plain = vars(TextFileData(**chosen)), vars(TextFileData(path))
    assert vars(configured.pop("tokenize")) == vars(plain.pop("tokenize"))
    assert configured == plain


def test_empty_sentences_of_a_file_are_kept(tmp_path):
    """A label without a text is an empty sentence, and so is a text in which the pattern finds no word."""
    data = in_two_files(tmp_path, ["pos good", "neg", "pos ..."], ["neg"], tokens=r"\w+")
    assert [len(data.encoded[split]) for split in Splits._fields] == [3, 1, 1]
    assert data.notes[-1].startswith("4 of 5 sentences are empty (")
    assert data.notes[-1].endswith(":1, …): they are kept, and pooled to zeros")


@pytest.mark.parametrize("split", ["test", "val"])
def test_label_missing_in_training_is_named(tmp_path, split):
    """The message gives file and line of the label, and the labels of the training split."""
    train = numbered(tmp_path / "a.txt", neg=20, pos=20)
    other = save(tmp_path / "b.csv", "text,label", '"x', 'y",pos', "z,Pos")
    message = f"{other}:4: label 'Pos' does not occur in {train}, which has 'neg', 'pos'"
    with pytest.raises(ValueError, match=starts_with(message) + "$"):
        ready(train, **{split: other})


def test_only_ten_of_many_labels_are_listed(tmp_path):
    """The message is readable even with hundreds of classes."""
    lines = [f"l{number:02} word" for number in range(12)]
    with pytest.raises(ValueError, match=r"other.txt:1: label 'x' .* has 'l00', .*, 'l09', …$"):
        in_two_files(tmp_path, lines, ["x word"])


def test_one_class_is_refused(tmp_path):
    """A file with one class only is an error, because there is nothing to classify."""
    path = numbered(tmp_path / "a.txt", pos=30)
    with pytest.raises(
        ValueError, match=starts_with(f"{path}: expected sentences of at least two classes, got only 'pos'")
    ):
        ready(path)


@pytest.mark.parametrize(
    ("changes", "split"),
    [({}, "test"), ({"test_fraction": 0.5}, "val"), ({"test_fraction": 0.5, "val_fraction": 0.0}, "val")],
)
def test_file_too_small_for_its_splits_is_refused(tmp_path, changes, split):
    """An empty split is an error, and the message says which settings avoid it."""
    path = numbered(tmp_path / "a.txt", a=2, b=2)
    with pytest.raises(
        ValueError,
        match=starts_with(f"{path}: ")
        + f".*hold out a {split} split: set data.{split} to a file, or data.{split}_frac",
    ):
        ready(path, **changes)


def test_too_few_different_sentences_are_told_apart(tmp_path):
    """A hundred sentences may be too few, if only two of them are different; the message says why."""
    path = save(tmp_path / "a.txt", *["pos good", "neg bad"] * 50)
    with pytest.raises(
        ValueError,
        match=starts_with(f"{path}: 100 sentences, 2 different ones, are too few to hold out a test split: set data."),
    ):
        ready(path)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("train", {"train": None}),
        ("val_fraction", {"val_fraction": 1.0}),
        ("test_fraction", {"test_fraction": -0.1}),
        ("val_fraction + test_fraction", {"val_fraction": 0.5, "test_fraction": 0.5}),
        ("seed", {"seed": -1}),
        ("format", {"format": "xml"}),
        ("tokens", {"tokens": "["}),
        ("tokens", {"tokens": "word"}),
        ("encoding", {"encoding": None}),
        ("text_column", {"text_column": 1}),
        ("label_column", {"label_column": ""}),
        ("label_column", {"label_column": "text"}),
        ("delimiter", {"delimiter": ";;"}),
        ("lowercase", {"lowercase": "yes"}),
        ("lowercase", {"lowercase": 1}),
        ("test", {"test": 1}),
        ("val", {"val": ["a.txt"]}),
        ("min_freq", {"min_freq": 0}),
        ("max_size", {"max_size": 2}),
        ("batch_size", {"batch_size": 0}),
    ],
)
def test_bad_setting_of_files_is_named(tmp_path, name, changes):
    """The error names the setting and the allowed values."""
    train = numbered(tmp_path / "a.txt", a=20, b=20)
    with pytest.raises(ValueError, match=f"^{re.escape(name)}: expected .*got "):
        ready(**{"train": train, **changes})


def test_where_sentences_are_empty(tmp_path: Path) -> None:
    """The note has the first lines of all files, and is the same for every job of a sweep."""
    train, test = tmp_path / "train.txt", tmp_path / "test.txt"
    train.write_text("".join(f"{label} word {number}\n" for number in range(20) for label in "ab") + "a\nb\nb\n")
    test.write_text("a x\nb\n")
    data = TextFileData(str(train), str(test))
    data.setup()
    note = data.notes[-1]
    first = f"4 of 45 sentences are empty ({train}:41, {train}:42, {train}:43, …): they are kept"
    assert note.startswith(first)
