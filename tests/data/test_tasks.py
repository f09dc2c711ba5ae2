"""The diagnostic tasks: exact where they say so, and nothing in them but what they ask for."""

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

TASKS = ("needle", "tone", "twice", "count", "proportion", "order", "position", "spread")
A, B = "great", "terrible"
WIDTHS = (2, 3, 4)  # the kernels of the default model


@pytest.fixture
def task(config: Callable[..., dict[str, Any]]) -> Callable[..., DiagnosticTask]:
    """A task from its configuration and overrides of it."""

    def make(name: str, *overrides: str) -> DiagnosticTask:
        made = instantiate(config(f"data={name}", *overrides)["data"], _convert_="all")
        made.setup()
        return made

    return make


def everything(made: DiagnosticTask) -> list[Sentence]:
    """The sentences of all parts."""
    return [sentence for part in made.splits for sentence in part]


def windows(words: list[str]) -> set[tuple[str, ...]]:
    """All windows of the default model's widths."""
    return {tuple(words[start : start + width]) for width in WIDTHS for start in range(len(words) - width + 1)}


def quarter(words: list[str]) -> str:
    return str(4 * words.index(A) // len(words) + 1)


# The rule of each task, told from the sentence alone.
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
    """Every sentence follows the rule of its task; where chance has a say, as often as computed."""
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
    """Against drawing cues and guessing by what was drawn most often with each class."""
    made = Tone(n_cues, margin, **SETTINGS | {"lengths": [60, 60]})
    rng, seen = random.Random(0), Counter[tuple[int, int, str]]()
    for _ in range(40_000):
        for label, cues in made.draw(rng, 60):
            seen[len(cues), cues.count("a"), label] += 1
    situations = {(n, n_a) for n, n_a, _ in seen}
    right = sum(max(seen[n, n_a, "positive"], seen[n, n_a, "negative"]) for n, n_a in situations)
    assert made.bayes_accuracy == pytest.approx(right / seen.total(), abs=0.006)


def test_bayes_accuracy_of_tone_by_hand():
    """Of three cues the majority is right with 0.7 * 0.7 * 0.3 against 0.3 * 0.3 * 0.7; of two there is none."""
    assert Tone([3, 3], 0.2, **SETTINGS | {"lengths": [60, 60]}).bayes_accuracy == pytest.approx(0.7)
    assert Tone([2, 2], 0.2, **SETTINGS | {"lengths": [60, 60]}).bayes_accuracy == pytest.approx(0.5)


@pytest.mark.parametrize("name", TASKS)
def test_classes_are_balanced_and_lengths_say_nothing(task, name):
    """Each length occurs as often in every class, so that a guess by the length is at chance exactly."""
    made = task(name, "data.n_filler=16")
    for part in made.splits:
        lengths = {label: Counter(len(words) for words, own in part if own == label) for label in made.labels}
        assert len(set(map(frozenset, (counts.items() for counts in lengths.values())))) == 1
    for words, _ in made.splits.train:
        assert made.lengths[0] <= len(words) <= made.lengths[1]
    assert {len(words) for words, _ in made.splits.train} == set(range(made.lengths[0], made.lengths[1] + 1))


@pytest.mark.parametrize("name", TASKS)
def test_with_one_filler_word_all_sentences_have_the_same_windows(task, name):
    """Wherever the task claims so: then the set of windows, all that a maximum sees, cannot tell the classes apart."""
    made = task(name)
    found = {frozenset(windows(words)) for words, _ in everything(made)}
    if made.same_windows:
        assert len(found) == 1
    else:
        assert name == "needle"
        assert len(found) == 2


@pytest.mark.parametrize("n_filler", [1, 16])
@pytest.mark.parametrize("name", TASKS)
def test_cues_keep_their_distance(task, name, n_filler):
    """No window holds two cues, and none with a cue reaches over an edge."""
    for words, _ in everything(task(name, f"data.n_filler={n_filler}")):
        places = [place for place, word in enumerate(words) if word in (A, B)]
        gaps = [after - before - 1 for before, after in zip([-1, *places], [*places, len(words)], strict=True)]
        assert not places or min(gaps) >= 3


def test_needle_is_tested_on_longer_sentences(task):
    """Short where it is trained and validated, long where it is tested."""
    made = task("needle")
    lengths = [{len(words) for words, _ in part} for part in made.splits]
    assert max(lengths[0] | lengths[1]) <= 30
    assert min(lengths[2]) >= 150
    assert max(lengths[2]) <= 250


@pytest.mark.parametrize("name", ["tone", "spread"])
def test_both_cues_are_in_every_sentence(task, name):
    """Else their mere presence would tell."""
    assert all(A in words and B in words for words, _ in everything(task(name)))


@pytest.mark.parametrize("name", TASKS)
def test_cues_stand_everywhere(task, name):
    """The first place that the gap allows, and the last."""
    made = task(name)
    long = [words for words, _ in everything(made) if A in words]
    assert min(words.index(A) for words in long) == 3
    assert min(words[::-1].index(A) for words in long) == 3


def test_spread_has_equal_means(task):
    """Over the sentences of a class, either cue is as frequent as in the other class."""
    means = {}
    for label in ("even", "uneven"):
        counts = [words.count(A) for words, own in everything(task("spread")) if own == label]
        means[label] = sum(counts) / len(counts)
    assert means["even"] == 4
    assert abs(means["uneven"] - 4) < 4 * 3 / math.sqrt(2500)


def test_a_count_is_not_a_share(task):
    """In `proportion`, the best guess by the number of cues alone is far from right."""
    sentences = everything(task("proportion"))
    seen = Counter((words.count(A), label) for words, label in sentences)
    right = sum(max(seen[n, "below"], seen[n, "above"]) for n in {n for n, _ in seen})
    assert right / len(sentences) < 0.9


@pytest.mark.parametrize("name", TASKS)
def test_filler_words_are_those_asked_for(task, name):
    """`n_filler` of the lesson's neutral words, all of them used, and all words have numbers."""
    for n_filler in (1, 2, 16):
        made = task(name, f"data.n_filler={n_filler}")
        words = {word for sentence in everything(made) for word in sentence.words}
        assert len(words - {A, B}) == n_filler
        assert words <= set(made.vocabulary.words)
        assert made.vocabulary.unknown is None


@pytest.mark.parametrize("name", TASKS)
def test_parts_are_drawn_apart(task, name):
    """Another number of training sentences changes no test sentence; another seed changes all parts."""
    usual = task(name, "data.n_filler=16").splits
    smaller = task(name, "data.n_filler=16", "data.n_train=400", "data.n_val=40").splits
    assert smaller.test == usual.test
    assert smaller.train == usual.train[:400]
    assert usual.train[:500] != usual.val
    other = task(name, "data.n_filler=16", "data.seed=1").splits
    assert all(one != two for one, two in zip(usual, other, strict=True))


def test_every_diagnostic_task_has_its_tests():
    """A file in conf/data that names a task stands in the list above."""
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
        ("twice", "data.n_filler=17", "n_filler: expected at most 16, as words.filler has, got 17"),
        ("twice", "data.n_train=3", "n_train: expected a multiple of 2, the classes, got 3"),
        ("position", "data.n_test=2", "n_test: expected a multiple of 4, the classes, got 2"),
        ("twice", "data.lengths=[11,20]", "lengths: expected at least 12 words, room for 2 cues with 3 words"),
        ("twice", "data.lengths=[20]", "lengths: expected two integers [least, most], got [20]"),
        ("needle", "data.test_lengths=[5,9]", "test_lengths: expected at least 8 words"),
        ("twice", "data.gap=-1", "gap: expected an integer of at least 0, got -1"),
        ("twice", "data.words.a=the", "words: expected a, b and filler to be different words, got the twice"),
        ("tone", "data.margin=0.49", "margin: expected a number between 0 and 0.49, got 0.49"),
        ("tone", "data.n_cues=[1,3]", "n_cues: expected an integer of at least 2, got 1"),
        ("count", "data.at_least=1", "at_least: expected an integer of at least 2, got 1"),
        ("proportion", "data.share=0", "share: expected a number between 0 and 0.5, got 0"),
        ("proportion", "data.share=0.3", "share: expected one that 20 words can lie below and above"),
        ("proportion", "data.margin=1", "margin: expected a number between 0 and 1, got 1"),
        ("position", "data.margin=3", "lengths: expected room for a cue in every quarter"),
        ("order", "data.max_length=24", "max_length: expected at least 25, the most words"),
        ("needle", "data.max_length=100", "max_length: expected at least 250, the most words"),
        ("twice", "data.words.a=1", "words.a: expected a word, got 1"),
        ("twice", "data.words.filler=the", "words.filler: expected a list of at least one word, got 'the'"),
        ("spread", "data.n_cues=7", "n_cues: expected an even number, got 7"),
        ("spread", "data.rarer=4", "rarer: expected less than half of n_cues (4), got 4"),
    ],
)
def test_bad_setting_is_named(task, name, override, message):
    """Whoever mistypes a setting reads its name and what is allowed."""
    with pytest.raises(Exception, match=re.escape(message)):
        task(name, override)
