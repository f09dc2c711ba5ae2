"""The diagnostic tasks: each needs information that some strategies keep and others lose."""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

from textpool.checks import between, integer, span
from textpool.data.base import Sentence, Splits
from textpool.data.diagnostic import DiagnosticTask

Cues = Iterator[tuple[str, Sequence[str]]]  # class and cues in order, of one sentence per class


class Needle(DiagnosticTask):
    """Does the cue occur? Training and validation sentences are short, test sentences are long.

    Max pooling solves the task, because the maximum does not depend on the length. Average pooling fails: the effect of
    one cue on the average is proportional to 1/length, and smaller in a test sentence than in any training sentence.

    Args:
        test_lengths: minimum and maximum number of words in a test sentence.
        lengths: minimum and maximum number of words in a training or validation sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("absent", "present")
    most_cues = 1
    same_windows = False

    def __init__(
        self, test_lengths: Sequence[int] = (150, 250), lengths: Sequence[int] = (10, 30), **settings: Any
    ) -> None:
        super().__init__(lengths, **settings)
        self.test_lengths = self.checked_lengths("test_lengths", test_lengths)

    def load(self) -> Splits:
        """Draw the sentences; those of the test split have the lengths `test_lengths`."""
        return super().load()._replace(test=self.draw_split("test", self.test_lengths))

    def draw(self, rng: random.Random, length: int) -> Cues:
        yield "absent", []
        yield "present", [self.a]


class Tone(DiagnosticTask):
    """Which of the two cues occurs more often? Both occur in every sentence.

    The classes overlap: each cue is the cue of the sentence's own class with probability 1/2 + margin only, so that
    even a correct count predicts the wrong class of some sentences. Average and sum pooling solve the task, because the
    difference of the two counts is the only information about the class.

    Args:
        n_cues: minimum and maximum number of cues in a sentence.
        margin: above 0 and below 0.49; a larger margin makes the task easier.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("negative", "positive")

    def __init__(
        self, n_cues: Sequence[int] = (6, 9), margin: float = 0.2, lengths: Sequence[int] = (40, 50), **settings: Any
    ) -> None:
        self.n_cues = span("n_cues", n_cues)
        integer("n_cues", self.n_cues[0], least=2)
        self.most_cues = self.n_cues[1]
        self.margin = between("margin", margin, 0, 0.49)
        self.bayes_accuracy = self._bayes_accuracy()
        super().__init__(lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Draw the same number of cues for each class; repeat a draw in which only one of the two cues occurs."""
        n = rng.randint(*self.n_cues)
        for label, words in ("negative", (self.b, self.a)), ("positive", (self.a, self.b)):
            cues: list[str] = []
            while len(set(cues)) < 2:
                cues = rng.choices(words, (0.5 + self.margin, 0.5 - self.margin), k=n)
            yield label, cues

    def _bayes_accuracy(self) -> float:
        """Accuracy of predicting, from the count of each cue, the class in which these counts are more probable."""

        def probability(n: int, n_a: int, rate: float) -> float:
            both = 1 - rate**n - (1 - rate) ** n
            return math.comb(n, n_a) * rate**n_a * (1 - rate) ** (n - n_a) / both

        rates = 0.5 - self.margin, 0.5 + self.margin
        numbers = range(self.n_cues[0], self.n_cues[1] + 1)
        best = (max(probability(n, n_a, rate) for rate in rates) / 2 for n in numbers for n_a in range(1, n))
        return sum(best) / len(numbers)


class Twice(DiagnosticTask):
    """Does the cue occur once or twice?

    k-max pooling with k of at least 2 and sum pooling solve the task, because a second cue adds a second window with a
    large value.

    Args:
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("once", "twice")
    most_cues = 2

    def __init__(self, lengths: Sequence[int] = (15, 25), **settings: Any) -> None:
        super().__init__(lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        yield "once", [self.a]
        yield "twice", [self.a, self.a]


class Count(DiagnosticTask):
    """Does the cue occur at least `at_least` times? The length varies, so that a proportion does not give the count.

    Sum pooling, soft count and k-max pooling with a large enough k solve the task. Average pooling confuses few cues in
    a short sentence with many cues in a long one.

    Args:
        at_least: the smallest count of the class "enough", at least 2; sentences have 1 to 2 * (at_least - 1) cues.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("fewer", "enough")

    def __init__(self, at_least: int = 4, lengths: Sequence[int] = (30, 60), **settings: Any) -> None:
        self.at_least = integer("at_least", at_least, least=2)
        self.most_cues = 2 * (at_least - 1)  # so that both classes have the same number of possible counts
        super().__init__(lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Draw a count for each class; all counts of a class are equally likely."""
        yield "fewer", [self.a] * rng.randint(1, self.at_least - 1)
        yield "enough", [self.a] * rng.randint(self.at_least, self.most_cues)


class Proportion(DiagnosticTask):
    """Is the proportion of cue words above or below a threshold? The length varies, so that a count does not give it.

    Average pooling solves the task, because the average is the proportion. k-max pooling with a small k fails, because
    it counts, and only up to k. The more the lengths vary, the less the count says about the class: with 20 to 100
    words, a guess from the count is correct for 87 % of the sentences.

    Args:
        share: the threshold.
        margin: minimum distance of a proportion from the threshold, relative to the threshold.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("below", "above")
    most_cues = 1  # the minimum; the possible counts depend on the length, see `_counts`

    def __init__(
        self, share: float = 0.1, margin: float = 0.2, lengths: Sequence[int] = (20, 100), **settings: Any
    ) -> None:
        self.share = between("share", share, 0, 0.5)
        self.margin = between("margin", margin, 0, 1)
        super().__init__(lengths, **settings)
        for length in range(self.lengths[0], self.lengths[1] + 1):
            if not all(self._counts(length)):
                raise ValueError(
                    f"share: expected a threshold that sentences of {length} words can be below and above, by a margin "
                    f"of {self.margin} of it and with {self.gap} filler words around each cue, got {self.share}"
                )

    def _counts(self, length: int) -> tuple[range, range]:
        """Possible counts of the cue below the threshold, and above it up to twice the threshold."""
        room = (length - self.gap - 1) // (self.gap + 1)
        below = math.floor(self.share * (1 - self.margin) * length)
        above = math.ceil(self.share * (1 + self.margin) * length)
        return range(1, below + 1), range(above, min(room, math.floor(2 * self.share * length)) + 1)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Draw a count for each class; all possible counts of a class are equally likely."""
        below, above = self._counts(length)
        yield "below", [self.a] * rng.choice(below)
        yield "above", [self.a] * rng.choice(above)


class Order(DiagnosticTask):
    """Which of the two cues comes first? Each occurs once.

    k-max pooling keeps the order of the values, and solves the task if k is at least the number of windows that contain
    a cue. A strategy that ignores the order of the windows is at chance.

    Args:
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("a first", "b first")
    most_cues = 2

    def __init__(self, lengths: Sequence[int] = (15, 25), **settings: Any) -> None:
        super().__init__(lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        yield "a first", [self.a, self.b]
        yield "b first", [self.b, self.a]


class Position(DiagnosticTask):
    """In which quarter of the sentence is the cue?

    Chunk pooling with one chunk per quarter solves the task.

    Args:
        margin: minimum number of words between the cue and the neighbouring quarter.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("1", "2", "3", "4")
    most_cues = 1

    def __init__(self, margin: int = 1, lengths: Sequence[int] = (24, 48), **settings: Any) -> None:
        self.margin = integer("margin", margin, least=0)
        super().__init__(lengths, **settings)
        if not all(self._positions(self.lengths[0], quarter) for quarter in range(4)):
            raise ValueError(
                f"lengths: expected enough words for a cue in every quarter, at least {self.margin} words from the "
                f"neighbouring quarters and {self.gap} words from both ends, got {self.lengths[0]} words"
            )

    def _positions(self, length: int, quarter: int) -> range:
        start, end = (math.ceil(number * length / 4) for number in (quarter, quarter + 1))
        return range(max(start + self.margin, self.gap), min(end - self.margin, length - self.gap))

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Yield one cue for each class; `draw_round` places it in its quarter."""
        return ((label, [self.a]) for label in self.classes)

    def draw_round(self, rng: random.Random, length: int) -> Iterator[Sentence]:
        """Draw one sentence of each class; all positions in a quarter are equally likely."""
        for quarter, (label, [cue]) in enumerate(self.draw(rng, length)):
            yield self.spell(rng, length, {rng.choice(self._positions(length, quarter)): cue}, label)


class Spread(DiagnosticTask):
    """Do the two cues occur equally often, or is one rare and the other frequent? Either cue can be the rare one.

    Each cue has the same expected count in both classes; only the variance of the counts differs. A strategy that is
    nonlinear in the counts, such as the standard deviation, solves the task. A linear one can at best separate one of
    the two kinds of uneven sentences from the rest, which gives an accuracy of 75 %.

    Args:
        n_cues: number of cues in a sentence, an even number.
        rarer: count of the rarer cue in an uneven sentence; at least 1 and less than half of `n_cues`.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("even", "uneven")

    def __init__(self, n_cues: int = 8, rarer: int = 1, lengths: Sequence[int] = (40, 50), **settings: Any) -> None:
        self.n_cues = integer("n_cues", n_cues, least=4)
        self.most_cues = n_cues
        self.rarer = integer("rarer", rarer, least=1)
        if n_cues % 2:
            raise ValueError(f"n_cues: expected an even number, got {n_cues}")
        if rarer >= n_cues // 2:
            raise ValueError(f"rarer: expected less than half of n_cues ({n_cues // 2}), got {rarer}")
        super().__init__(lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Draw which cue is the rarer one, and the order of the cues."""
        uneven = rng.choice((self.rarer, self.n_cues - self.rarer))
        for label, n_a in ("even", self.n_cues // 2), ("uneven", uneven):
            cues = [self.a] * n_a + [self.b] * (self.n_cues - n_a)
            rng.shuffle(cues)
            yield label, cues
