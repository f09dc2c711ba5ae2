"""The lesson's sentences: the very ones, whatever the size of the validation part."""

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
    """The lesson's sentences, or other ones."""
    defaults = {"n_train": 1280, "n_val": 320, "n_test": 320, "lengths": [5, 12], "n_cues": [1, 3], "seed": 42}
    return SentimentData(**{**defaults, "words": WORDS, **changes})


def draw_rounds(rng: random.Random, rounds: int) -> list[tuple[list[str], str]]:
    """The drawing as the facts page tells it, in plain loops."""
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
    """How many words of a sentence are cues of its class."""
    return sum(word in WORDS[label] for word in words)


def test_configuration_gives_the_lesson(config):
    """`data=sentiment` is the lesson: its sizes, its vocabulary, its first sentence."""
    chosen = config("data=sentiment")["data"]
    assert chosen.pop("_target_") == "textpool.data.SentimentData"
    data = SentimentData(**chosen)
    data.setup()
    assert [len(part) for part in data.splits] == [1280, 320, 320]
    assert data.vocabulary.words == ["<PAD>", *sorted(" ".join(LISTS.values()).split())]
    assert len(data.vocabulary) == 41
    assert data.labels == ["negative", "positive"]
    first, label = data.splits.train[0]
    assert (" ".join(first), label) == ("with the the film film but really the this enjoyed film the", "positive")
    assert data.vocabulary.encode(["amazing", "film", "wonderful"]) == [2, 16, 39]
    assert data.splits == lesson().load()


def test_drawing_is_the_one_described():
    """An independent telling of the drawing gives the same sentences, the validation part drawn last."""
    rng = random.Random(42)
    drawn = draw_rounds(rng, 800)
    rng.shuffle(drawn)
    assert lesson().load() == Splits(drawn[:1280], draw_rounds(rng, 160), drawn[1280:])  # pyright: ignore[reportArgumentType]


def test_size_of_validation_part_changes_nothing_else():
    """Training and test sentences stay when `n_val` is changed; a longer validation part begins as a short one."""
    small, large = lesson(n_val=2).load(), lesson(n_val=600).load()
    assert small.train == large.train
    assert small.test == large.test
    assert small.val == large.val[:2]


def test_sentences_hang_on_their_seed_only():
    """Neither the global generator nor the seed of the training changes a sentence."""
    random.seed(1)
    first = lesson(shuffle_seed=1).load()
    random.seed(2)
    assert lesson().load() == first


def test_every_length_and_number_of_cues_occurs():
    """Both ends of the configured ranges are reached, in equal classes."""
    sentences = [sentence for part in lesson().load() for sentence in part]
    assert {len(words) for words, _ in sentences} == set(range(5, 13))
    assert {n_cues_of(*sentence) for sentence in sentences} == {1, 2, 3}
    assert sum(label == "positive" for _, label in sentences) == 960


@given(
    n_cues=st.tuples(st.integers(1, 3), st.integers(3, 4)),
    lengths=st.tuples(st.integers(4, 6), st.integers(6, 9)),
    seed=st.integers(0, 2**32),
)
def test_sentences_keep_to_the_settings(n_cues, lengths, seed):
    """Length and number of cues lie in their ranges, and no cue of the other class slips in."""
    splits = lesson(n_train=7, n_val=4, n_test=3, lengths=lengths, n_cues=n_cues, seed=seed).load()
    assert [len(part) for part in splits] == [7, 4, 3]
    for words, label in splits.train + splits.val + splits.test:
        cues = n_cues_of(words, label)
        assert lengths[0] <= len(words) <= lengths[1]
        assert n_cues[0] <= cues <= n_cues[1]
        assert sum(word in WORDS["neutral"] for word in words) == len(words) - cues
    assert sum(label == "positive" for _, label in splits.train + splits.test) == 5
    assert sum(label == "positive" for _, label in splits.val) == 2


def test_another_seed_gives_other_sentences():
    """The seed is used, in every part."""
    for one, other in zip(lesson(seed=1).load(), lesson(seed=2).load(), strict=True):
        assert one != other


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
        ("words.negative", {"words": {"positive": ["good"], "neutral": ["film"]}}),
        ("words.neutral", {"words": WORDS | {"neutral": []}}),
    ],
)
def test_bad_setting_of_sentences_is_named(name, changes):
    """Whoever mistypes a setting reads its name and what is allowed."""
    with pytest.raises(ValueError, match=f"^{re.escape(name)}: expected .*got "):
        lesson(**changes)
