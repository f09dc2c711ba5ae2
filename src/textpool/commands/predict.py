"""Classify sentences."""

import argparse
import heapq
import io
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from textpool.commands.explain import words_of
from textpool.record import LIKELIEST, MOST_COLUMNS

if TYPE_CHECKING:
    from textpool.build import Trained
    from textpool.explain import Explanation
    from textpool.inference import Prediction

MOST_WORDS = 10  # so many unknown words are shown
MOST_COUNTED = 10_000  # so many different unknown words are counted
MOST_EXAMPLES = 3  # of lines
AT_ONCE = 1024  # so many sentences are in memory
MOST_PROBABILITIES = 2**18  # so many are in memory: fewer sentences, where there are many classes
PROGRESS = 0.5  # seconds between two reports of the progress


def main() -> None:
    """Print one line per sentence: label, its probability, what was asked for beside them, sentence."""
    parser = argparse.ArgumentParser(
        description="Classify sentences with a trained checkpoint. Each line of the output has, separated by tabs, "
        "the label, its probability and the sentence. Any number of lines can be classified: only some of them are in "
        "memory.",
    )
    parser.add_argument("checkpoint", help="folder of a run, or path of a best.ckpt or last.ckpt")
    parser.add_argument("sentences", nargs="*", help="sentences; without any, the lines of standard input")
    parser.add_argument("--file", type=Path, help="a file with a sentence on each line, instead of standard input")
    parser.add_argument("--encoding", default="utf-8", help="of the lines; default: utf-8")
    parser.add_argument("--json", action="store_true", help="one JSON object for each sentence")
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="add the probability of each class, such as neg=0.0312, in columns in front of the sentence; of more than "
        f"{MOST_COLUMNS} classes, those of the {LIKELIEST} likeliest, as with --json",
    )
    parser.add_argument(
        "--unknown",
        action="store_true",
        help="add the words that the classifier does not know, such as unknown=grat, in a column in front of the "
        "sentence; without it, a note on standard error counts them",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show what each word contributes to the logit of its class: on a terminal by colours, blue for the class "
        "and orange against it, elsewhere or with NO_COLOR by numbers behind the words; slower",
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoint may use"
    )
    arguments = parser.parse_intermixed_args()  # an option may stand between the two positional ones
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.inference import find_checkpoint

    try:
        if arguments.file and arguments.sentences:
            raise ValueError("--file: expected no sentences beside a file")
        "".encode(arguments.encoding)
        trained = load(find_checkpoint(arguments.checkpoint), arguments.allow)
        sentences = arguments.sentences or lines_of(arguments.file, arguments.encoding)
        classify(trained, sentences, arguments)
    except LookupError:
        sys.exit(f"error: --encoding: expected the name of an encoding, such as utf-8, got {arguments.encoding!r}")
    except ValueError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # nobody reads any more, as with `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
            sys.exit(141)
        sys.exit(f"error: {arguments.file}: cannot be read: {error.strerror}")


def classify(trained: "Trained", sentences: Iterable[str], arguments: argparse.Namespace) -> None:
    """Print the classes of sentences, and then a note about unknown words."""
    from textpool.explain import explain
    from textpool.inference import predict, unknown_words

    # somebody who types, or follows the words of a stream, sees each sentence at once
    typed = not arguments.file and not arguments.sentences and getattr(sys.stdin, "isatty", bool)()
    most = min(AT_ONCE, max(1, MOST_PROBABILITIES // len(trained.data.labels)))
    at_once = 1 if arguments.explain or typed else most
    counts: Counter[str] = Counter()
    n, affected, remaining = 0, 0, iter(sentences)
    progress = Progress()
    while some := list(itertools.islice(remaining, at_once)):
        unknown = unknown_words(trained.data, some)
        explained = explain(trained, some) if arguments.explain else [None] * len(some)
        for given in zip(some, unknown, predict(trained, some), explained, strict=True):
            print(shown(*given, arguments), flush=at_once == 1)
        n += len(some)
        affected += sum(map(bool, unknown))
        counts.update(word for words in unknown for word in words if word in counts or len(counts) < MOST_COUNTED)
        progress.report(n)
    progress.end()
    if affected and not arguments.unknown and not arguments.json:
        print(note(counts, affected, n), file=sys.stderr)


def shown(
    sentence: str,
    unknown: list[str],
    prediction: "Prediction",
    explained: "Explanation | None",
    arguments: argparse.Namespace,
) -> str:
    """The line of a sentence."""
    probabilities = likeliest(prediction.probabilities)
    if arguments.json:
        found = {"sentence": sentence, "label": prediction.label, "probabilities": probabilities}
        if explained is not None:
            found |= {name: getattr(explained, name) for name in ("words", "contributions", "bias", "logit")}
        return json.dumps(found | {"unknown": unknown}, ensure_ascii=False)
    columns = [prediction.label, f"{prediction.probabilities[prediction.label]:.4f}"]
    if arguments.probabilities:
        columns += [f"{label}={probability:.4f}" for label, probability in probabilities.items()]
    if arguments.unknown:
        columns.append("unknown=" + " ".join(unknown))
    return "\t".join([*columns, sentence if explained is None else words_of(explained)])


def likeliest(probabilities: Mapping[str, float]) -> Mapping[str, float]:
    """The probabilities that are shown: of all classes, or of very many the likeliest, as in `predictions.csv`."""
    if len(probabilities) <= MOST_COLUMNS:
        return probabilities
    return {
        label: probabilities[label] for label in heapq.nlargest(LIKELIEST, probabilities, probabilities.__getitem__)
    }


def lines_of(path: Path | None, encoding: str) -> Iterator[str]:
    """The lines of a file, or of standard input; a note on standard error counts those in another encoding."""
    if path is None:
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding=encoding, errors="replace")
        yield from readable(sys.stdin, encoding)
        return
    with path.open(encoding=encoding, errors="replace") as file:
        yield from readable(file, encoding)


def readable(lines: Iterable[str], encoding: str) -> Iterator[str]:
    """Lines without their ends; at the end, a note about those that could not be read whole."""
    first, n_broken = [], 0
    for number, line in enumerate(lines, start=1):
        if "\ufffd" in line:
            n_broken += 1
            first += [number] if len(first) < MOST_EXAMPLES else []
        yield line.rstrip("\r\n")
    if n_broken:
        shown = ", ".join(map(str, first)) + (", …" if n_broken > len(first) else "")
        print(
            f"note: {n_broken:,} lines are not in the encoding {encoding} (line {shown}): what could not be read is "
            "\ufffd there; --encoding names another one",
            file=sys.stderr,
        )


class Progress:
    """How many sentences are classified, on a terminal that does not show the sentences themselves."""

    def __init__(self) -> None:
        self.wanted = sys.stderr.isatty() and not sys.stdout.isatty()
        self.start = self.last = time.monotonic()

    def report(self, n: int) -> None:
        now = time.monotonic()
        if self.wanted and now - self.last > PROGRESS:
            self.last = now
            print(f"\r{n:,} sentences, {n / (now - self.start):,.0f} a second", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.wanted and self.last > self.start:
            print(file=sys.stderr)


def note(counts: Counter[str], affected: int, n: int) -> str:
    """One line about the unknown words of some sentences, the most frequent first."""
    words = " ".join(word for word, _ in counts.most_common(MOST_WORDS))
    least = "at least " * (len(counts) >= MOST_COUNTED)
    more = f" and {least}{len(counts) - MOST_WORDS:,} more" if len(counts) > MOST_WORDS else ""
    return (
        f"note: {affected:,} of {n:,} sentences have words that the classifier has not learned: {words}{more} "
        "(--unknown shows them for each sentence)"
    )
