"""The lesson's sentences: exactly the same ones, for every size of the validation split."""

import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.data import SentimentData, Splits

LISTS = {
    "positive": "great amazing wonderful excellent fantastic brilliant superb loved enjoyed outstanding perfect best",
    "negative": "terrible horrible awful worst dreadful boring bad hated poor disappointing weak disaster",
    "neutral": "the a movie film was is this that very really quite it and but with not",
}
WORDS = {kind: words.split() for kind, words in LISTS.items()}


def lesson(**changes: Any) -> SentimentData:
    """The lesson's data, with changed settings."""
    defaults = {"n_train": 1280, "n_val": 320, "n_test": 320, "lengths": [5, 12], "n_cues": [1, 3], "seed": 42}
    return SentimentData(**{**defaults, "words": WORDS, **changes})


def draw_rounds(rng: random.Random, rounds: int) -> list[tuple[list[str], str]]:
    """An independent implementation, in plain loops, of how sentences are drawn."""
    sentences = []
    for _ in range(rounds):
        for label in ("positive", "negative"):
            length = rng.randint(5, 12)
            n_cues = rng.randint(1, 3)
            sentence = rng.choices(WORDS["neutral"], k=length - n_cues)
            sentence.extend(rng.choices(WORDS[label], k=n_cues))
            rng.shuffle(sentence)
            sentences.append((sentence, label))
    return sentences


def n_cues_of(words: list[str], label: str) -> int:
    """The number of sentiment words of a class in a sentence."""
    return sum(word in WORDS[label] for word in words)


def test_configuration_gives_the_lesson(config):
    """`data=sentiment` gives the lesson's sizes, vocabulary and first sentence."""
    chosen = config("data=sentiment")["data"]
    assert chosen.pop("_target_") == "textpool.data.SentimentData"
    data = SentimentData(**chosen)
    data.setup()
    assert [len(split) for split in data.splits] == [1280, 320, 320]
    assert data.vocabulary.words == ["<PAD>", *sorted(" ".join(LISTS.values()).split())]
    assert len(data.vocabulary) == 41
    assert data.labels == ["negative", "positive"]
    first, label = data.splits.train[0]
    assert (" ".join(first), label) == ("with the the film film but really the this enjoyed film the", "positive")
    assert data.vocabulary.encode(["amazing", "film", "wonderful"]) == [2, 16, 39]
    assert data.splits == lesson().load()


def test_sentences_equal_an_independent_implementation():
    """The drawing has the described order: the training and test splits first, then the validation split."""
    rng = random.Random(42)
    drawn = draw_rounds(rng, 800)
    rng.shuffle(drawn)
    assert lesson().load() == Splits(drawn[:1280], draw_rounds(rng, 160), drawn[1280:])  # pyright: ignore[reportArgumentType]


def test_size_of_validation_split_changes_no_other_split():
    """`n_val` does not change training and test sentences; a short validation split is the start of a long one."""
    small, large = lesson(n_val=2).load(), lesson(n_val=600).load()
    assert small.train == large.train
    assert small.test == large.test
    assert small.val == large.val[:2]


def test_sentences_depend_on_their_seed_only():
    """The global generator and the seed of the training do not change the sentences."""
    random.seed(1)
    first = lesson(shuffle_seed=1).load()
    random.seed(2)
    assert lesson().load() == first


def test_every_length_and_number_of_cues_occurs():
    """Sentences reach both ends of the configured ranges, and the classes are balanced."""
    sentences = [sentence for split in lesson().load() for sentence in split]
    assert {len(words) for words, _ in sentences} == set(range(5, 13))
    assert {n_cues_of(*sentence) for sentence in sentences} == {1, 2, 3}
    assert sum(label == "positive" for _, label in sentences) == 960


@given(
    n_cues=st.tuples(st.integers(1, 3), st.integers(3, 4)),
    lengths=st.tuples(st.integers(4, 6), st.integers(6, 9)),
    seed=st.integers(0, 2**32),
)
def test_sentences_follow_the_settings(n_cues, lengths, seed):
    """Length and number of cues are in their ranges, and no sentence has a cue of the other class."""
    splits = lesson(n_train=7, n_val=4, n_test=3, lengths=lengths, n_cues=n_cues, seed=seed).load()
    assert [len(split) for split in splits] == [7, 4, 3]
    for words, label in splits.train + splits.val + splits.test:
        cues = n_cues_of(words, label)
        assert lengths[0] <= len(words) <= lengths[1]
        assert n_cues[0] <= cues <= n_cues[1]
        assert sum(word in WORDS["neutral"] for word in words) == len(words) - cues
    assert sum(label == "positive" for _, label in splits.train + splits.test) == 5
    assert sum(label == "positive" for _, label in splits.val) == 2


def test_another_seed_gives_other_sentences():
    """The seed is used in every split."""
    for one, other in zip(lesson(seed=1).load(), lesson(seed=2).load(), strict=True):
        assert one != other


@pytest.mark.parametrize("n_filler", [1, 4, 15])
def test_n_filler_limits_the_neutral_words(n_filler):
    """Sentences and vocabulary have the first `n_filler` neutral words and no others."""
    data = lesson(n_filler=n_filler)
    data.setup()
    neutral = WORDS["neutral"][:n_filler]
    cues = WORDS["positive"] + WORDS["negative"]
    assert {word for split in data.splits for words, _ in split for word in words} == {*neutral, *cues}
    assert data.vocabulary.words == ["<PAD>", *sorted([*neutral, *cues])]
    assert data.bayes_accuracy == 1.0


def test_n_filler_can_be_set_for_the_default_data(config):
    """Hydra composes the default data with the override first in the sweep `-m data=order,twice data.n_filler=16`."""
    assert config("data.n_filler=16")["data"]["n_filler"] == 16


def test_n_filler_of_all_words_is_the_default():
    """With as many filler words as the list has, the data are exactly the lesson's."""
    default, every = lesson(), lesson(n_filler=16)
    default.setup()
    every.setup()
    assert every.splits == default.splits
    assert every.vocabulary.words == default.vocabulary.words


def test_bayes_accuracy_is_that_of_the_words_in_use():
    """A neutral word that is also a cue makes the best accuracy unknown, unless `n_filler` leaves it out."""
    words = WORDS | {"neutral": ["the", "great"]}
    assert lesson(words=words).bayes_accuracy is None
    assert lesson(words=words, n_filler=1).bayes_accuracy == 1.0


def test_n_filler_too_large_names_the_limit():
    """The message gives the number of words in the list."""
    with pytest.raises(
        ValueError, match=r"^n_filler: expected at most 16, the number of words in words.neutral, got 17$"
    ):
        lesson(n_filler=17)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("n_train", {"n_train": 0}),
        ("n_train", {"n_train": True}),
        ("n_val", {"n_val": 0}),
        ("n_val", {"n_val": 3}),
        ("n_test", {"n_test": 0}),
        ("n_train + n_test", {"n_train": 5, "n_test": 2}),
        ("lengths", {"lengths": [5]}),
        ("lengths", {"lengths": [6, 5]}),
        ("lengths", {"lengths": [0, 5]}),
        ("n_cues", {"n_cues": [0, 1]}),
        ("n_cues", {"n_cues": [1, 2, 3]}),
        ("n_cues", {"n_cues": [1, 6]}),
        ("seed", {"seed": -1}),
        ("n_filler", {"n_filler": 0}),
        ("n_filler", {"n_filler": True}),
        ("n_filler", {"n_filler": 17}),
        ("words.negative", {"words": {"positive": ["good"], "neutral": ["film"]}}),
        ("words.neutral", {"words": WORDS | {"neutral": []}}),
    ],
)
def test_bad_setting_of_sentences_is_named(name, changes):
    """The error names the setting and the allowed values."""
    with pytest.raises(ValueError, match=f"^{re.escape(name)}: expected .*got "):
        lesson(**changes)
