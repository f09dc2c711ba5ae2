"""The diagnostic tasks: their rules hold, and nothing else in a sentence predicts its class."""

import hashlib
import itertools
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate

from textpool.data import Count, DiagnosticTask, Needle, Order, Position, Proportion, Sentence, Spread, Tone, Twice

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


# Test sentences in the training split with one filler word, in %, as the docstring of DiagnosticTask gives them.
OVERLAP = {
    "position": (95.5, 96.5),
    "twice": (89.5, 90.5),
    "order": (78.5, 79.5),
    "count": (3, 6),
    "proportion": (3, 6),
}


@pytest.mark.parametrize("name", TASKS)
def test_share_of_test_sentences_in_the_training_split(task, name):
    """The docstring says of each task how many of its test sentences also occur in the training split."""
    for n_filler, (low, high) in {1: OVERLAP.get(name, (0, 0.2)), 16: (0, 0)}.items():
        splits = task(name, f"data.n_filler={n_filler}").splits
        known = {tuple(words) for words, _ in splits.train}
        share = sum(tuple(words) in known for words, _ in splits.test) / len(splits.test)
        assert low <= 100 * share <= high


# Of the sentences that the default settings have given since these tasks exist.
HASHES = {
    "needle": "3ff1ff3106bcd011",
    "tone": "2669ce0a06c7d565",
    "twice": "dfeeefcf40abc3a0",
    "count": "fec1f013b7eeaf6f",
    "proportion": "608f570c251cb1ab",
    "order": "13dcd8a1456cfede",
    "position": "6acb9d1c5f537dd2",
    "spread": "6460d77fbec5b2a0",
}


@pytest.mark.parametrize("name", TASKS)
def test_the_sentences_are_always_the_same(task, name):
    """Finished studies stay comparable with new runs: a new setting does not change what the others draw."""
    sizes = ("data.n_filler=16", "data.n_train=200", "data.n_val=40", "data.n_test=200")
    text = "\n".join(f"{label}: {' '.join(words)}" for words, label in everything(task(name, *sizes)))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == HASHES[name]


@pytest.mark.parametrize("name", TASKS)
def test_other_lengths_in_the_test_split_only(task, name):
    """Training and validation sentences stay as they are; those of the test split have the new lengths and the rule."""
    sizes = ("data.n_train=200", "data.n_val=40", "data.n_test=400")
    usual, other = task(name, *sizes), task(name, *sizes, "data.test_lengths=[60,62]")
    assert (other.splits.train, other.splits.val) == (usual.splits.train, usual.splits.val)
    assert {len(words) for words, _ in other.splits.test} == {60, 61, 62}
    right = sum(RULES[name](words) == label for words, label in other.splits.test)
    assert right >= 400 * (other.bayes_accuracy or 0) - 4 * math.sqrt(400 * 0.14 * 0.86) * (name == "tone")
    assert other.bayes_accuracy == usual.bayes_accuracy


def test_without_test_lengths_needle_is_tested_on_the_lengths_of_the_training(task):
    """As in every other task, null means `lengths`."""
    assert {len(words) for words, _ in task("needle", "data.test_lengths=null").splits.test} == set(range(10, 31))


def test_exact_accuracies_of_the_shortcuts():
    """By hand: shares of 4 cues in 59 words and more are enough in 85 of 93 cases; 3 of 4 sentences beside a line.

    Tone: the first of n cues is that of the sentence's class with probability 0.7, if sentences of n equal cues are
    left out. Proportion: the sum over the numbers of cues, by a program of its own.
    """
    first_cue = [(0.7 - 0.7**n) / (1 - 0.7**n - 0.3**n) for n in (6, 7, 8, 9)]
    found = {made: (made.shortcut, made.shortcut_accuracy) for made in (Tone(), Count(), Proportion(), Spread())}
    assert list(found.values()) == [
        ("a single cue", pytest.approx(sum(first_cue) / 4)),
        ("one threshold on the share of cues", pytest.approx(85 / 93)),
        ("the number of cues", pytest.approx(0.8685, abs=5e-5)),
        ("one line in the two counts", pytest.approx(3 / 4)),
    ]
    for made in (Needle(), Twice(), Order(), Position()):
        assert (made.shortcut, made.shortcut_accuracy) == ("a guess", 1 / len(made.classes))


# What each shortcut knows of a sentence.
SEEN: dict[str, Callable[[list[str]], float]] = {
    "tone": lambda words: next(word for word in words if word in (A, B)) == A,
    "count": lambda words: words.count(A) / len(words),
    "proportion": lambda words: words.count(A),
    "spread": lambda words: words.count(A),
}


@pytest.mark.parametrize(
    "made",
    [
        Tone(n_test=20_000),
        Tone(n_cues=[3, 5], margin=0.4, n_test=20_000),
        Count(n_test=20_000),
        Count(n_test=20_000, test_lengths=[50, 150]),
        Proportion(n_test=20_000),
        Proportion(n_test=20_000, test_lengths=[50, 150]),
        Proportion(n_test=20_000, share=0.03, fewest=0, lengths=[40, 120]),
        Spread(n_test=20_000),
    ],
    ids=lambda made: type(made).__name__.lower(),
)
def test_the_shortcut_on_drawn_sentences(made):
    """The best threshold on what the shortcut knows of 20,000 test sentences has the accuracy that was computed."""
    knows, (one, other) = SEEN[type(made).__name__.lower()], made.classes
    seen: dict[float, Counter[str]] = defaultdict(Counter)
    for words, label in made.draw_split("test", made.test_lengths):
        seen[knows(words)][label] += 1
    so_far = itertools.accumulate(seen[value][one] - seen[value][other] for value in sorted(seen))
    reached = 0.5 + max(map(abs, so_far)) / 20_000
    error = math.sqrt(made.shortcut_accuracy * (1 - made.shortcut_accuracy) / 20_000)
    assert abs(reached - made.shortcut_accuracy) < 4 * error


def test_a_shortcut_that_is_enough_is_none():
    """With one length, the share gives the count: there is nothing else to test, so that the zero is a guess."""
    alike = Count(test_lengths=[50, 50])
    assert (alike.shortcut, alike.shortcut_accuracy) == ("a guess", 0.5)
    needle = Proportion(share=0.01, fewest=0, lengths=[75, 124])
    assert (needle.shortcut, needle.shortcut_accuracy) == ("a guess", 0.5)


def test_a_small_share_without_cues_is_a_needle():
    """With `fewest=0` and a small share, the class below has no cue, and the class above has one or two."""
    made = Proportion(share=0.01, fewest=0, lengths=[75, 124])
    counts = {label: {words.count(A) for words, own in everything_of(made) if own == label} for label in made.classes}
    assert counts == {"below": {0}, "above": {1, 2}}
    assert not made.same_windows


@pytest.mark.parametrize("share", [0.012, 0.03, 0.1, 0.15])
def test_fewest_adds_sentences_without_the_cue(share):
    """All sentences keep the margin around the threshold; of the class below, some have no cue."""
    made = Proportion(share=share, fewest=0, lengths=[75, 125])
    for words, label in everything_of(made):
        proportion = words.count(A) / len(words)
        assert proportion <= 0.8 * share + 1e-9 if label == "below" else proportion >= 1.2 * share - 1e-9
    assert any(A not in words for words, _ in made.load().train)


def everything_of(made: DiagnosticTask) -> list[Sentence]:
    return [sentence for split in made.load() for sentence in split]


@pytest.mark.parametrize("name", ["twice", "order", "position", "needle"])
def test_population_agrees_with_drawn_sentences(task, name):
    """All sentences, each once, with probabilities that sum to 1 and are those of a large sample.

    Of the drawn sentences, none is missing, and the chi-squared statistic is within 5 standard deviations of its mean.
    """
    settings = ("data.test_lengths=[24,27]", "data.n_train=8", "data.n_val=8", "data.n_test=20000")
    made = task(name, *settings)
    population = {(tuple(words), label): probability for (words, label), probability in made.population()}
    assert len(population) == len(made.population())
    assert sum(population.values()) == pytest.approx(1)
    drawn = Counter((tuple(words), label) for words, label in made.splits.test)
    assert set(drawn) <= set(population)
    expected = {sentence: 20_000 * probability for sentence, probability in population.items()}
    statistic = sum((drawn[sentence] - mean) ** 2 / mean for sentence, mean in expected.items())
    freedom = len(population) - 1
    assert abs(statistic - freedom) < 5 * math.sqrt(2 * freedom)


def test_population_by_hand():
    """Twice, 12 words: the cue stands at one of 6 positions or, twice, at positions 3 and 7, 3 and 8, 4 and 8."""
    population = Twice(lengths=[12, 12]).population()
    places = [(tuple(i for i, word in enumerate(words) if word == A), label) for (words, label), _ in population]
    twice = [((3, 7), "twice"), ((3, 8), "twice"), ((4, 8), "twice")]
    assert places == [*(((position,), "once") for position in range(3, 9)), *twice]
    assert [probability for _, probability in population] == pytest.approx([1 / 12] * 6 + [1 / 6] * 3)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            Count(),
            "population: expected a task whose sentences of a class all have the same cues, such as twice, order ",
        ),
        (Order(n_filler=2), "n_filler: expected 1, so that all sentences can be listed, got 2"),
        (
            Twice(test_lengths=[400, 402]),
            "test_lengths: expected at most 100,000 different sentences, .* got 231,094 of",
        ),
    ],
)
def test_a_population_that_cannot_be_listed(made, message):
    """The error names the reason, and the number of sentences."""
    with pytest.raises(ValueError, match=message):
        made.population()


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
        ("twice", "data.test_lengths=[11,20]", "test_lengths: expected at least 12 words, enough for 2 cues"),
        ("position", "data.test_lengths=[8,20]", "test_lengths: expected enough words for a cue in every quarter"),
        ("order", "data.test_lengths=20", "test_lengths: expected two integers [minimum, maximum], got 20"),
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
        (
            "proportion",
            "data.test_lengths=[8,20]",
            "share: expected a threshold that sentences of 8 words can be below and above, by a margin of 0.2 of it "
            "and with 3 filler words around each cue, got 0.1 with test_lengths from 8 to 20",
        ),
        ("proportion", "data.fewest=2", "fewest: expected 0 or 1, got 2"),
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
