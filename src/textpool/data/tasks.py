"""The diagnostic tasks: each asks for what one way of pooling keeps and another loses."""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from textpool.checks import between, integer, span
from textpool.data.base import Sentence, Splits
from textpool.data.diagnostic import DiagnosticTask

Cues = Iterator[tuple[str, Sequence[str]]]  # class and cues in their order, for one sentence of each class


class Needle(DiagnosticTask):
    """Is the cue there at all? Trained on short sentences, tested on long ones.

    Maximum: the length does not matter. Average: what one cue adds fades as 1/n, below what training has seen.

    Args:
        test_lengths: fewest and most words of a test sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("absent", "present")
    most_cues = 1
    same_windows = False

    def __init__(self, test_lengths: Sequence[int], **settings: Any) -> None:
        super().__init__(**settings)
        self.test_lengths = self.checked_lengths("test_lengths", test_lengths)

    def load(self) -> Splits:
        """The test part has lengths of its own."""
        return super().load()._replace(test=self.draw_part("test", self.test_lengths))

    def draw(self, rng: random.Random, length: int) -> Cues:
        """No cue, or one."""
        yield "absent", []
        yield "present", [self.a]


class Tone(DiagnosticTask):
    """Which of two cues is the more frequent one? Both occur, in sentences of either class.

    Each cue speaks for the class with a chance of 1/2 + margin, so that even counting all of them right is wrong at
    times. Average and sum: the difference of the counts is all that can be known.

    Args:
        n_cues: fewest and most cues of a sentence.
        margin: above 0 and below 0.49; the larger, the easier.
        **settings: see `DiagnosticTask`.
    """

    classes = ("negative", "positive")

    def __init__(self, n_cues: Sequence[int], margin: float, **settings: Any) -> None:
        self.n_cues = span("n_cues", n_cues)
        integer("n_cues", self.n_cues[0], least=2)
        self.most_cues = self.n_cues[1]
        self.margin = between("margin", margin, 0, 0.49)
        self.bayes_accuracy = self._bayes_accuracy()
        super().__init__(**settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """As many cues for either class; those without both words are drawn again."""
        n = rng.randint(*self.n_cues)
        for label, words in ("negative", (self.b, self.a)), ("positive", (self.a, self.b)):
            cues: list[str] = []
            while len(set(cues)) < 2:
                cues = rng.choices(words, (0.5 + self.margin, 0.5 - self.margin), k=n)
            yield label, cues

    def _bayes_accuracy(self) -> float:
        """Of each number of a's, the class with which it is the more frequent."""

        def chance(n: int, n_a: int, rate: float) -> float:
            both = 1 - rate**n - (1 - rate) ** n
            return math.comb(n, n_a) * rate**n_a * (1 - rate) ** (n - n_a) / both

        rates = 0.5 - self.margin, 0.5 + self.margin
        numbers = range(self.n_cues[0], self.n_cues[1] + 1)
        best = (max(chance(n, n_a, rate) for rate in rates) / 2 for n in numbers for n_a in range(1, n))
        return sum(best) / len(numbers)


class Twice(DiagnosticTask):
    """Does the cue occur once or twice? k-max with k of 2 or more, sum: two windows fire, not one."""

    classes = ("once", "twice")
    most_cues = 2

    def draw(self, rng: random.Random, length: int) -> Cues:
        """One, and two."""
        yield "once", [self.a]
        yield "twice", [self.a, self.a]


class Count(DiagnosticTask):
    """Does the cue occur at least so often? Lengths vary, so that a share is not a count.

    Sum, soft count, k-max with k large enough. The average confuses few in a short sentence with many in a long one.

    Args:
        at_least: the number that decides, at least 2; sentences have from 1 to 2 (at_least - 1) cues.
        **settings: see `DiagnosticTask`.
    """

    classes = ("fewer", "enough")

    def __init__(self, at_least: int, **settings: Any) -> None:
        self.at_least = integer("at_least", at_least, least=2)
        self.most_cues = 2 * (at_least - 1)  # as many numbers on either side
        super().__init__(**settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Every number as often as the others."""
        yield "fewer", [self.a] * rng.randint(1, self.at_least - 1)
        yield "enough", [self.a] * rng.randint(self.at_least, self.most_cues)


class Proportion(DiagnosticTask):
    """Is the share of the cue among the words above a threshold, or below? Lengths vary: a count is not a share.

    Average: it is the share. k-max with small k: it counts, and only up to k. The more lengths vary, the less a count
    is worth: from 20 to 100 words it is right in 87 % of the sentences.

    Args:
        share: the threshold.
        margin: how far from the threshold a share stays at least, relative to it.
        **settings: see `DiagnosticTask`.
    """

    classes = ("below", "above")
    most_cues = 1  # at least; how many there may be depends on the length

    def __init__(self, share: float, margin: float, **settings: Any) -> None:
        self.share = between("share", share, 0, 0.5)
        self.margin = between("margin", margin, 0, 1)
        super().__init__(**settings)
        for length in range(self.lengths[0], self.lengths[1] + 1):
            if not all(self._numbers(length)):
                raise ValueError(
                    f"share: expected one that {length} words can lie below and above, by {self.margin} of it and with "
                    f"{self.gap} words of filler around each cue, got {self.share}"
                )

    def _numbers(self, length: int) -> tuple[range, range]:
        """The numbers of cues below and above the threshold, up to twice the threshold."""
        room = (length - self.gap - 1) // (self.gap + 1)
        below = math.floor(self.share * (1 - self.margin) * length)
        above = math.ceil(self.share * (1 + self.margin) * length)
        return range(1, below + 1), range(above, min(room, math.floor(2 * self.share * length)) + 1)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Every number as often as the others of its side."""
        below, above = self._numbers(length)
        yield "below", [self.a] * rng.choice(below)
        yield "above", [self.a] * rng.choice(above)


class Order(DiagnosticTask):
    """Which of two cues comes first? k-max: as many values as the cues fill windows, in their order.

    All that does not keep the order is left with the same windows, and at chance.
    """

    classes = ("a first", "b first")
    most_cues = 2

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Both cues, once each."""
        yield "a first", [self.a, self.b]
        yield "b first", [self.b, self.a]


class Position(DiagnosticTask):
    """In which quarter of the sentence does the cue stand? Chunks, with a part for each quarter.

    Args:
        margin: least number of words between the cue and the next quarter.
        **settings: see `DiagnosticTask`.
    """

    classes = ("1", "2", "3", "4")
    most_cues = 1

    def __init__(self, margin: int, **settings: Any) -> None:
        self.margin = integer("margin", margin, least=0)
        super().__init__(**settings)
        if not all(self._places(self.lengths[0], quarter) for quarter in range(4)):
            raise ValueError(
                f"lengths: expected room for a cue in every quarter, {self.margin} words from the next and {self.gap} "
                f"from the ends, got {self.lengths[0]} words"
            )

    def _places(self, length: int, quarter: int) -> range:
        start, end = (-(-part * length // 4) for part in (quarter, quarter + 1))  # rounded up
        return range(max(start + self.margin, self.gap), min(end - self.margin, length - self.gap))

    def draw(self, rng: random.Random, length: int) -> Cues:
        """One cue in each class; `draw_round` puts it in its quarter."""
        return ((label, [self.a]) for label in self.classes)

    def draw_round(self, rng: random.Random, length: int) -> Iterator[Sentence]:
        """Every place of a quarter is as likely."""
        for quarter, (label, [cue]) in enumerate(self.draw(rng, length)):
            yield self.spell(rng, length, {rng.choice(self._places(length, quarter)): cue}, label)


class Spread(DiagnosticTask):
    """Do two cues occur equally often, or one of them rarely and the other often, whichever it is?

    Over the sentences of a class, each cue is as frequent in the one as in the other: the mean of every feature is
    the same, and the maximum. What differs is how far the sentences lie from that mean. Needs a curve, such as the
    standard deviation: a strategy that is linear in the number of cues can cut off one kind of uneven sentences at
    best, which makes three quarters, and its loss draws it back to chance.

    Args:
        n_cues: cues in a sentence, an even number.
        rarer: how often the rarer cue occurs in an uneven sentence; at least 1, less than half of them.
        **settings: see `DiagnosticTask`.
    """

    classes = ("even", "uneven")

    def __init__(self, n_cues: int, rarer: int, **settings: Any) -> None:
        self.n_cues = integer("n_cues", n_cues, least=4)
        self.most_cues = n_cues
        self.rarer = integer("rarer", rarer, least=1)
        if n_cues % 2:
            raise ValueError(f"n_cues: expected an even number, got {n_cues}")
        if rarer >= n_cues // 2:
            raise ValueError(f"rarer: expected less than half of n_cues ({n_cues // 2}), got {rarer}")
        super().__init__(**settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """In random order."""
        uneven = rng.choice((self.rarer, self.n_cues - self.rarer))
        for label, n_a in ("even", self.n_cues // 2), ("uneven", uneven):
            cues = [self.a] * n_a + [self.b] * (self.n_cues - n_a)
            rng.shuffle(cues)
            yield label, cues
