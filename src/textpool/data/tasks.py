"""The diagnostic tasks: each needs information that some strategies keep and others lose."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from textpool.checks import between, integer, span
from textpool.data.base import Sentence
from textpool.data.diagnostic import DiagnosticTask, Seen

Cues = Iterator[tuple[str, Sequence[str]]]  # class and cues in order, of one sentence per class


class Needle(DiagnosticTask):
    """Does the cue occur? Training and validation sentences are short, test sentences are long.

    Max pooling solves the task, because the maximum does not depend on the length. Average pooling fails: the effect of
    one cue on the average is proportional to 1/length, and smaller in a test sentence than in any training sentence.

    Args:
        test_lengths: minimum and maximum number of words in a test sentence; None: as `lengths`.
        lengths: minimum and maximum number of words in a training or validation sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("absent", "present")
    most_cues = 1
    same_windows = False
    fixed_cues = True

    def __init__(
        self, test_lengths: Sequence[int] | None = (150, 250), lengths: Sequence[int] = (10, 30), **settings: Any
    ) -> None:
        super().__init__(lengths, test_lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        yield "absent", []
        yield "present", [self.a]


class Tone(DiagnosticTask):
    """Which of the two cues occurs more often? Both occur in every sentence.

    The classes overlap: each cue is the cue of the sentence's own class with probability 1/2 + margin only, so that
    even a correct count predicts the wrong class of some sentences. Average and sum pooling solve the task, because the
    difference of the two counts is the only information about the class.

    The shortcut is a single cue: it is the more probable cue of the sentence's class, but not as often as the more
    frequent of all. (The presence of the cues says nothing, and the count of one of them is no shortcut, because
    counting is what the task tests.)

    Args:
        n_cues: minimum and maximum number of cues in a sentence.
        margin: above 0 and below 0.49; a larger margin makes the task easier.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("negative", "positive")
    shortcut = "a single cue"

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

    def seen_by_shortcut(self, length: int) -> Iterator[Seen]:
        """Yield the first cue: all cues of a sentence are equally likely to be the first, whatever their counts."""
        numbers, rate = range(self.n_cues[0], self.n_cues[1] + 1), 0.5 + self.margin
        own = sum((rate - rate**n) / (1 - rate**n - (1 - rate) ** n) for n in numbers) / len(numbers)
        for label, cue, other in ("negative", self.b, self.a), ("positive", self.a, self.b):
            yield cue, label, own
            yield other, label, 1 - own

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
    fixed_cues = True

    def __init__(self, lengths: Sequence[int] = (15, 25), **settings: Any) -> None:
        super().__init__(lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        yield "once", [self.a]
        yield "twice", [self.a, self.a]


class Count(DiagnosticTask):
    """Does the cue occur at least `at_least` times? The length varies, so that a proportion does not give the count.

    Sum pooling, soft count and k-max pooling with a large enough k solve the task. Average pooling confuses few cues in
    a short sentence with many cues in a long one: the share of the cues alone is the shortcut.

    Args:
        at_least: the smallest count of the class "enough", at least 2; sentences have 1 to 2 * (at_least - 1) cues.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("fewer", "enough")
    shortcut = "one threshold on the share of cues"

    def __init__(self, at_least: int = 4, lengths: Sequence[int] = (30, 60), **settings: Any) -> None:
        self.at_least = integer("at_least", at_least, least=2)
        self.most_cues = 2 * (at_least - 1)  # so that both classes have the same number of possible counts
        super().__init__(lengths, **settings)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Draw a count for each class; all counts of a class are equally likely."""
        yield "fewer", [self.a] * rng.randint(1, self.at_least - 1)
        yield "enough", [self.a] * rng.randint(self.at_least, self.most_cues)

    def seen_by_shortcut(self, length: int) -> Iterator[Seen]:
        """Yield the shares of the cues."""
        for n in range(1, self.most_cues + 1):
            yield Fraction(n, length), self.classes[n >= self.at_least], 1 / (self.at_least - 1)


class Proportion(DiagnosticTask):
    """Is the proportion of cue words above or below a threshold? The length varies, so that a count does not give it.

    Average pooling solves the task, because the average is the proportion. k-max pooling with a small k fails, because
    it counts, and only up to k. The more the lengths vary, the less the count says about the class: with 20 to 100
    words, a guess from the count, the shortcut, is correct for 87 % of the sentences.

    With `fewest=0` and a share so small that one cue is enough, the task becomes a needle: does the cue occur? With a
    larger share it is a proportion again, so that the share alone leads from one to the other.

    Args:
        share: the threshold.
        margin: minimum distance of a proportion from the threshold, relative to the threshold.
        lengths: minimum and maximum number of words in a sentence.
        fewest: the smallest count of the cue, 0 or 1.
        **settings: see `DiagnosticTask`.
    """

    classes = ("below", "above")
    most_cues = 1  # the minimum; the possible counts depend on the length, see `_counts`
    shortcut = "the number of cues"

    def __init__(
        self,
        share: float = 0.1,
        margin: float = 0.2,
        lengths: Sequence[int] = (20, 100),
        fewest: int = 1,
        **settings: Any,
    ) -> None:
        self.share = between("share", share, 0, 0.5)
        self.margin = between("margin", margin, 0, 1)
        self.fewest = integer("fewest", fewest, least=0)
        if self.fewest > 1:
            raise ValueError(f"fewest: expected 0 or 1, got {fewest}")
        self.same_windows = self.fewest == 1  # a sentence without the cue has windows of filler words only
        super().__init__(lengths, **settings)

    def checked_lengths(self, name: str, lengths: Sequence[int]) -> tuple[int, int]:
        """Return `lengths` if sentences of every length can be below and above the threshold."""
        shortest, longest = super().checked_lengths(name, lengths)
        for length in range(shortest, longest + 1):
            if not all(self._counts(length)):
                raise ValueError(
                    f"share: expected a threshold that sentences of {length} words can be below and above, by a margin "
                    f"of {self.margin} of it and with {self.gap} filler words around each cue, got {self.share} with "
                    f"{name} from {shortest} to {longest}"
                )
        return shortest, longest

    def _counts(self, length: int) -> tuple[range, range]:
        """Possible counts of the cue below the threshold, and above it up to twice the threshold, or the least one."""
        room = (length - self.gap - 1) // (self.gap + 1)
        below = math.floor(self.share * (1 - self.margin) * length)
        above = math.ceil(self.share * (1 + self.margin) * length)
        most = max(above, math.floor(2 * self.share * length))
        return range(self.fewest, below + 1), range(above, min(room, most) + 1)

    def draw(self, rng: random.Random, length: int) -> Cues:
        """Draw a count for each class; all possible counts of a class are equally likely."""
        below, above = self._counts(length)
        yield "below", [self.a] * rng.choice(below)
        yield "above", [self.a] * rng.choice(above)

    def seen_by_shortcut(self, length: int) -> Iterator[Seen]:
        """Yield the numbers of cues."""
        for label, counts in zip(self.classes, self._counts(length), strict=True):
            for n in counts:
                yield n, label, 1 / len(counts)


class Order(DiagnosticTask):
    """Which of the two cues comes first? Each occurs once.

    k-max pooling keeps the order of the values, and solves the task if k is at least the number of windows that contain
    a cue. A strategy that ignores the order of the windows is at chance. There is no shortcut: what the first windows
    of a sentence show is a part of its order, which is what the task tests.

    Args:
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("a first", "b first")
    most_cues = 2
    fixed_cues = True

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
    fixed_cues = True

    def __init__(self, margin: int = 1, lengths: Sequence[int] = (24, 48), **settings: Any) -> None:
        self.margin = integer("margin", margin, least=0)
        super().__init__(lengths, **settings)

    def checked_lengths(self, name: str, lengths: Sequence[int]) -> tuple[int, int]:
        """Return `lengths` if every quarter of the shortest sentence has room for the cue."""
        shortest, longest = super().checked_lengths(name, lengths)
        if not all(self._positions(shortest, quarter) for quarter in range(4)):
            raise ValueError(
                f"{name}: expected enough words for a cue in every quarter, at least {self.margin} words from the "
                f"neighbouring quarters and {self.gap} words from both ends, got {shortest} words"
            )
        return shortest, longest

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

    def n_placements(self, length: int, label: str, cues: Sequence[str]) -> int:
        return len(self._positions(length, self.classes.index(label)))

    def placements(self, length: int, label: str, cues: Sequence[str]) -> Iterator[Mapping[int, str]]:
        """Yield each position in the quarter of the class."""
        return ({position: cues[0]} for position in self._positions(length, self.classes.index(label)))


class Spread(DiagnosticTask):
    """Do the two cues occur equally often, or is one rare and the other frequent? Either cue can be the rare one.

    Each cue has the same expected count in both classes; only the variance of the counts differs. A strategy that is
    nonlinear in the counts, such as the standard deviation, solves the task. A linear one can at best separate one of
    the two kinds of uneven sentences from the rest, which gives an accuracy of 75 %: that is the shortcut.

    Args:
        n_cues: number of cues in a sentence, an even number.
        rarer: count of the rarer cue in an uneven sentence; at least 1 and less than half of `n_cues`.
        lengths: minimum and maximum number of words in a sentence.
        **settings: see `DiagnosticTask`.
    """

    classes = ("even", "uneven")
    shortcut = "one line in the two counts"

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

    def seen_by_shortcut(self, length: int) -> Iterator[Seen]:
        """Yield the counts of the first cue: as the two counts have a fixed sum, a line is a threshold on one."""
        yield self.n_cues // 2, "even", 1.0
        for n_a in (self.rarer, self.n_cues - self.rarer):
            yield n_a, "uneven", 0.5
