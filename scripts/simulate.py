"""Simulate studies whose truth is known: how often do intervals hold it, and how often are verdicts false?

The models answer sentences at random: the logit of a right answer is the sum of a level, a part of the seed, a part of
the sentence, and a part of the model on this sentence. Two models have the same level, so their accuracies are equal.
Other cases draw seeds that either solve a task or do not. Each study is judged as textpool judges it, and by Student's
t over the seeds, which takes the test sentences as given. The output is the table of docs/statistics.md:

    python scripts/simulate.py            # about two minutes
    python scripts/simulate.py --studies 200
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from textpool.study import statistics

Table = NDArray[np.floating]  # (seeds, sentences), 1 where the answer is right
EQUAL_WITHIN = 0.01


@dataclass(frozen=True)
class Case:
    """A kind of study.

    Attributes:
        name: in words.
        seeds: number of seeds.
        sentences: of a test set.
        level: logit of an answer of a mean model to a mean sentence.
        seed: standard deviation of the part of the seed.
        sentence: that of the sentence.
        model: that of the model on one sentence, the same for all of its seeds.
        anew: whether each seed has sentences of its own.
        fails: probability that a seed does not solve the task, and stays at 0.68.
    """

    name: str
    seeds: int
    sentences: int
    level: float = 2.0
    seed: float = 0.2
    sentence: float = 1.5
    model: float = 0.0
    anew: bool = False
    fails: float = 0.0

    def draw(self, rng: np.random.Generator) -> tuple[Table, Table]:
        """The answers of two equal models."""
        rows = self.seeds if self.anew else 1
        sentences = rng.normal(0, self.sentence, (rows, self.sentences))
        return self._answers(rng, sentences), self._answers(rng, sentences)

    def _answers(self, rng: np.random.Generator, sentences: Table) -> Table:
        own = rng.normal(0, self.model, sentences.shape)
        chance = expit(self.level + rng.normal(0, self.seed, (self.seeds, 1)) + sentences + own)
        failed = rng.random((self.seeds, 1)) < self.fails
        return (rng.random(chance.shape) < np.where(failed, 0.68, chance)).astype(float)

    @property
    def accuracy(self) -> float:
        """The true accuracy, by numerical integration over the normal distribution of the logit."""
        spread = math.sqrt(self.seed**2 + self.sentence**2 + self.model**2)
        nodes, weights = np.polynomial.hermite_e.hermegauss(100)
        solved = float((expit(self.level + spread * nodes) * weights).sum() / weights.sum())
        return (1 - self.fails) * solved + self.fails * 0.68


CASES = [
    Case("79 % right, same sentences, models differ by sentence", 10, 320, model=1.0),
    Case("the same with 2,000 sentences", 10, 2000, model=1.0),
    Case("the same with three seeds", 3, 320, model=1.0),
    Case("81 % right, same sentences, models alike", 10, 320),
    Case("72 % right, five seeds, 1,000 sentences", 5, 1000, level=1.6, sentence=2.0, model=0.5),
    Case("99.9 % right, two seeds", 2, 320, level=8.0, sentence=1.0, seed=0.5),
    Case("99.9 % right, ten seeds", 10, 320, level=8.0, sentence=1.0, seed=0.5),
    Case("99.3 % right, few hard sentences, two seeds", 2, 320, level=9.0, sentence=3.0, model=1.0),
    Case("99.3 % right, few hard sentences, ten seeds", 10, 320, level=9.0, sentence=3.0, model=1.0),
    Case("sentences anew, 79 % right", 10, 2000, model=1.0, anew=True),
    Case("sentences anew, 79 % right, three seeds", 3, 2000, model=1.0, anew=True),
    Case("sentences anew, 99.9 % right", 10, 2000, level=8.0, sentence=1.0, seed=0.5, anew=True),
    Case("sentences anew, 3 of 10 seeds fail", 10, 2000, level=9.0, sentence=0.5, anew=True, fails=0.3),
    Case("sentences anew, 1 of 10 seeds fails", 10, 2000, level=9.0, sentence=0.5, anew=True, fails=0.1),
]


def students_t(values: Table) -> tuple[float, float, float]:
    """Interval and p-value of the mean of the seeds, as before: equal values have an interval of width 0, and p = 0."""
    means = values.mean(1)
    if np.ptp(means) == 0:
        return means[0], means[0], 1.0 if means[0] == 0 else 0.0
    mean = statistics.over_seeds(means.tolist())
    return *mean.interval()[1:], mean.p


def measure(case: Case, studies: int) -> list[str]:
    """The cells of a row: coverage and false verdicts, before and after, and how often equality was found."""
    rng = np.random.default_rng(0)
    counts = np.zeros(5)
    for _ in range(studies):
        one, other = case.draw(rng)
        units = one.size if case.anew else case.sentences
        mean: Callable[[Table], statistics.Mean] = statistics.two_way
        if case.anew:
            mean = lambda values, units=units: statistics.over_seeds(values.mean(1).tolist(), units)  # noqa: E731
        low, high, _ = students_t(one)
        now = statistics.share(mean(one))
        difference = statistics.difference(mean(one - other)).interval()
        counts += [
            low <= case.accuracy <= high,
            now.low <= case.accuracy <= now.high,
            students_t(one - other)[2] < 0.05,
            not difference.low <= 0 <= difference.high,
            difference.low >= -EQUAL_WITHIN and difference.high <= EQUAL_WITHIN,
        ]
    return [f"{100 * count / studies:.1f}" for count in counts]


def main() -> None:
    """Print the table as Markdown, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=2000, help="number of simulated studies of each case")
    studies = parser.parse_args().studies
    print("| case | seeds | sentences | accuracy | holds, t | holds, now | false, t | false, now | equal |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for case in CASES:
        known = [case.name, str(case.seeds), f"{case.sentences:,}", f"{100 * case.accuracy:.1f}"]
        print(f"| {' | '.join([*known, *measure(case, studies)])} |", flush=True)


if __name__ == "__main__":
    main()
