"""The diagnostic tasks: their rules hold, and nothing else in a sentence predicts its class."""

import math
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate

from textpool.data import DiagnosticTask, Sentence, Tone

pytestmark = pytest.mark.slow  # thousands of sentences are drawn

TASKS = ("needle", "tone", "twice", "count", "proportion", "order", "position", "spread")
A, B = "great", "terrible"
WIDTHS = (2, 3, 4)  # the kernel sizes of the default model


@pytest.fixture
def task(config: Callable[..., dict[str, Any]]) -> Callable[..., DiagnosticTask]:
    """Make a task from its configuration, with overrides."""

    def make(name: str, *overrides: str) -> DiagnosticTask:
        made = instantiate(config(f"data={name}", *overrides)["data"], _convert_="all")
        made.setup()
        return made

    return make


def everything(made: DiagnosticTask) -> list[Sentence]:
    """The sentences of all splits."""
    return [sentence for split in made.splits for sentence in split]


def windows(words: list[str]) -> set[tuple[str, ...]]:
    """All windows of a sentence, for the kernel sizes of the default model."""
    return {tuple(words[start : start + width]) for width in WIDTHS for start in range(len(words) - width + 1)}


def quarter(words: list[str]) -> str:
    return str(4 * words.index(A) // len(words) + 1)


# The rule that gives the class of a sentence in each task.
RULES: dict[str, Callable[[list[str]], str]] = {
    "needle": lambda words: "present" if A in words else "absent",
    "tone": lambda words: "positive" if words.count(A) > words.count(B) else "negative",
    "twice": lambda words: ("once", "twice")[words.count(A) - 1],
    "count": lambda words: "enough" if words.count(A) >= 4 else "fewer",
    "proportion": lambda words: "above" if words.count(A) / len(words) > 0.1 else "below",
    "order": lambda words: "a first" if words.index(A) < words.index(B) else "b first",
    "position": quarter,
    "spread": lambda words: "even" if words.count(A) == words.count(B) else "uneven",
}


@pytest.mark.parametrize("n_filler", [1, 16])
@pytest.mark.parametrize("name", TASKS)
def test_the_rule_reaches_the_bayes_accuracy(task, name, n_filler):
    """The rule of each task is as accurate as its Bayes accuracy says; only `tone` has sentences that break it."""
    made = task(name, f"data.n_filler={n_filler}")
    sentences = everything(made)
    right = sum(RULES[name](words) == label for words, label in sentences)
    if made.bayes_accuracy == 1.0:
        assert right == len(sentences)
    else:
        assert name == "tone"
        error = math.sqrt(made.bayes_accuracy * (1 - made.bayes_accuracy) / len(sentences))
        assert abs(right / len(sentences) - made.bayes_accuracy) < 4 * error


@pytest.mark.parametrize(("n_cues", "margin"), [([6, 9], 0.2), ([2, 2], 0.1), ([3, 3], 0.2), ([5, 5], 0.4)])
def test_bayes_accuracy_of_tone(n_cues, margin):
    """The formula agrees with a simulation that chooses the more frequent class of each pair of counts."""
    made = Tone(n_cues, margin, **SETTINGS | {"lengths": [60, 60]})
    rng, seen = random.Random(0), Counter[tuple[int, int, str]]()
    for _ in range(40_000):
        for label, cues in made.draw(rng, 60):
            seen[len(cues), cues.count("a"), label] += 1
    situations = {(n, n_a) for n, n_a, _ in seen}
    right = sum(max(seen[n, n_a, "positive"], seen[n, n_a, "negative"]) for n, n_a in situations)
    assert made.bayes_accuracy == pytest.approx(right / seen.total(), abs=0.006)


def test_bayes_accuracy_of_tone_by_hand():
    """Three cues, two of them equal: 0.7 * 0.7 * 0.3 to 0.3 * 0.3 * 0.7, so 0.7; two different cues: no information."""
    assert Tone([3, 3], 0.2, **SETTINGS | {"lengths": [60, 60]}).bayes_accuracy == pytest.approx(0.7)
    assert Tone([2, 2], 0.2, **SETTINGS | {"lengths": [60, 60]}).bayes_accuracy == pytest.approx(0.5)


@pytest.mark.parametrize("name", TASKS)
def test_classes_are_balanced_at_every_length(task, name):
    """Each length is equally frequent in all classes, so that the length does not predict the class."""
    made = task(name, "data.n_filler=16")
    for split in made.splits:
        lengths = {label: Counter(len(words) for words, own in split if own == label) for label in made.labels}
        assert len(set(map(frozenset, (counts.items() for counts in lengths.values())))) == 1
    for words, _ in made.splits.train:
        assert made.lengths[0] <= len(words) <= made.lengths[1]
    assert {len(words) for words, _ in made.splits.train} == set(range(made.lengths[0], made.lengths[1] + 1))


@pytest.mark.parametrize("name", TASKS)
def test_with_one_filler_word_all_sentences_have_the_same_windows(task, name):
    """Tasks with `same_windows` really have one set of windows, so that max pooling cannot be better than chance."""
    made = task(name)
    found = {frozenset(windows(words)) for words, _ in everything(made)}
    if made.same_windows:
        assert len(found) == 1
    else:
        assert name == "needle"
        assert len(found) == 2


@pytest.mark.parametrize("name", TASKS)
def test_share_of_test_sentences_in_the_training_split(task, name):
    """Most test sentences also occur in the training split only in the tasks that the class docstring names."""
    splits = task(name).splits
    known = {tuple(words) for words, _ in splits.train}
    share = sum(tuple(words) in known for words, _ in splits.test) / len(splits.test)
    if name in ("twice", "order", "position"):
        assert 0.78 < share < 0.96
    else:
        assert share < 0.05


@pytest.mark.parametrize("n_filler", [1, 16])
@pytest.mark.parametrize("name", TASKS)
def test_cues_keep_their_distance(task, name, n_filler):
    """No window contains two cues, and all windows around a cue lie within the sentence."""
    for words, _ in everything(task(name, f"data.n_filler={n_filler}")):
        places = [place for place, word in enumerate(words) if word in (A, B)]
        gaps = [after - before - 1 for before, after in zip([-1, *places], [*places, len(words)], strict=True)]
        assert not places or min(gaps) >= 3


def test_needle_is_tested_on_longer_sentences(task):
    """The sentences of the training and validation splits are short, those of the test split are long."""
    made = task("needle")
    lengths = [{len(words) for words, _ in split} for split in made.splits]
    assert max(lengths[0] | lengths[1]) <= 30
    assert min(lengths[2]) >= 150
    assert max(lengths[2]) <= 250


@pytest.mark.parametrize("name", ["tone", "spread"])
def test_both_cues_occur_in_every_sentence(task, name):
    """The presence of a cue does not predict the class."""
    assert all(A in words and B in words for words, _ in everything(task(name)))


@pytest.mark.parametrize("name", TASKS)
def test_cues_reach_the_first_and_last_allowed_position(task, name):
    """Cues are not confined to the middle of the sentence: they occur at both ends, `gap` words from the edge."""
    made = task(name)
    long = [words for words, _ in everything(made) if A in words]
    assert min(words.index(A) for words in long) == 3
    assert min(words[::-1].index(A) for words in long) == 3


def test_spread_has_equal_means(task):
    """The mean count of a cue does not predict the class."""
    means = {}
    for label in ("even", "uneven"):
        counts = [words.count(A) for words, own in everything(task("spread")) if own == label]
        means[label] = sum(counts) / len(counts)
    assert means["even"] == 4
    assert abs(means["uneven"] - 4) < 4 * 3 / math.sqrt(2500)


def test_count_does_not_give_the_proportion(task):
    """In `proportion`, the best guess from the number of cues is right for less than 90 % of the sentences."""
    sentences = everything(task("proportion"))
    seen = Counter((words.count(A), label) for words, label in sentences)
    right = sum(max(seen[n, "below"], seen[n, "above"]) for n in {n for n, _ in seen})
    assert right / len(sentences) < 0.9


@pytest.mark.parametrize("name", TASKS)
def test_n_filler_limits_the_filler_words(task, name):
    """Sentences have `n_filler` different filler words, and every word is in the vocabulary."""
    for n_filler in (1, 2, 16):
        made = task(name, f"data.n_filler={n_filler}")
        words = {word for sentence in everything(made) for word in sentence.words}
        assert len(words - {A, B}) == n_filler
        assert words <= set(made.vocabulary.words)
        assert made.vocabulary.unknown is None


@pytest.mark.parametrize("name", TASKS)
def test_splits_are_drawn_independently(task, name):
    """The size of a split does not change the other splits; another seed changes all splits."""
    usual = task(name, "data.n_filler=16").splits
    smaller = task(name, "data.n_filler=16", "data.n_train=400", "data.n_val=40").splits
    assert smaller.test == usual.test
    assert smaller.train == usual.train[:400]
    assert usual.train[:500] != usual.val
    other = task(name, "data.n_filler=16", "data.seed=1").splits
    assert all(one != two for one, two in zip(usual, other, strict=True))


def test_every_diagnostic_task_has_its_tests():
    """The list `TASKS` has every task in conf/data, so that no task is untested."""
    conf = Path(__file__).parents[2] / "conf" / "data"
    found = [file.stem for file in conf.glob("*.yaml") if "common/task" in file.read_text()]
    assert sorted(found) == sorted(TASKS)


SETTINGS: dict[str, Any] = {
    "n_train": 8,
    "n_val": 8,
    "n_test": 8,
    "gap": 3,
    "n_filler": 1,
    "seed": 0,
    "words": {"a": "a", "b": "b", "filler": ["x", "y"]},
}


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        ("twice", "data.n_filler=0", "n_filler: expected an integer of at least 1, got 0"),
        ("twice", "data.n_filler=17", "n_filler: expected at most 16, the number of words in words.filler, got 17"),
        ("twice", "data.n_train=3", "n_train: expected a multiple of 2, the number of classes, got 3"),
        ("position", "data.n_test=2", "n_test: expected a multiple of 4, the number of classes, got 2"),
        ("twice", "data.lengths=[11,20]", "lengths: expected at least 12 words, enough for 2 cues with 3 filler words"),
        ("twice", "data.lengths=[20]", "lengths: expected two integers [minimum, maximum], got [20]"),
        ("needle", "data.test_lengths=[5,9]", "test_lengths: expected at least 8 words"),
        ("twice", "data.gap=-1", "gap: expected an integer of at least 0, got -1"),
        (
            "twice",
            "data.words.a=the",
            "words: expected a, b and filler to be different words, got 'the' more than once",
        ),
        ("tone", "data.margin=0.49", "margin: expected a number between 0 and 0.49, got 0.49"),
        ("tone", "data.n_cues=[1,3]", "n_cues: expected an integer of at least 2, got 1"),
        ("count", "data.at_least=1", "at_least: expected an integer of at least 2, got 1"),
        ("proportion", "data.share=0", "share: expected a number between 0 and 0.5, got 0"),
        (
            "proportion",
            "data.share=0.3",
            "share: expected a threshold that sentences of 20 words can be below and above",
        ),
        ("proportion", "data.margin=1", "margin: expected a number between 0 and 1, got 1"),
        ("position", "data.margin=3", "lengths: expected enough words for a cue in every quarter"),
        ("order", "data.max_length=24", "max_length: expected at least 25, the length of the longest sentence"),
        ("needle", "data.max_length=100", "max_length: expected at least 250, the length of the longest sentence"),
        ("twice", "data.words.a=1", "words.a: expected a word, got 1"),
        ("twice", "data.words.filler=the", "words.filler: expected a list of at least one word, got 'the'"),
        ("spread", "data.n_cues=7", "n_cues: expected an even number, got 7"),
        ("spread", "data.rarer=4", "rarer: expected less than half of n_cues (4), got 4"),
    ],
)
def test_bad_setting_is_named(task, name, override, message):
    """The error names the setting and the allowed values."""
    with pytest.raises(Exception, match=re.escape(message)):
        task(name, override)
