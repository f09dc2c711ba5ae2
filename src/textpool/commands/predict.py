"""Classify sentences."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

MOST_WORDS = 10  # so many unknown words are shown


def main() -> None:
    """Print one line per sentence: label, its probability, what was asked for beside them, sentence."""
    parser = argparse.ArgumentParser(
        description="Classify sentences with a trained checkpoint. Each line of the output has, separated by tabs, "
        "the label, its probability and the sentence.",
    )
    parser.add_argument("checkpoint", help="folder of a run, or path of a best.ckpt or last.ckpt")
    parser.add_argument("sentences", nargs="*", help="sentences; without any, the lines of standard input")
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="add the probability of each class, such as neg=0.0312, in columns in front of the sentence",
    )
    parser.add_argument(
        "--unknown",
        action="store_true",
        help="add the words that the classifier does not know, such as unknown=grat, in a column in front of the "
        "sentence; without it, a note on standard error counts them",
    )
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoint may use"
    )
    arguments = parser.parse_intermixed_args()  # an option may stand between the two positional ones
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.inference import find_checkpoint, predict, unknown_words

    try:
        trained = load(find_checkpoint(arguments.checkpoint), arguments.allow)
    except ValueError as error:
        sys.exit(f"error: {error}")
    sentences = arguments.sentences or [line.rstrip("\n") for line in sys.stdin]
    unknown = unknown_words(trained.data, sentences)
    for sentence, words, prediction in zip(sentences, unknown, predict(trained, sentences), strict=True):
        columns = [prediction.label, f"{prediction.probabilities[prediction.label]:.4f}"]
        if arguments.probabilities:
            columns += [f"{label}={probability:.4f}" for label, probability in prediction.probabilities.items()]
        if arguments.unknown:
            columns.append("unknown=" + " ".join(words))
        print(*columns, sentence, sep="\t")
    if not arguments.unknown and any(unknown):
        print(note(unknown), file=sys.stderr)


def note(unknown: Sequence[Sequence[str]]) -> str:
    """One line about the unknown words of some sentences, the most frequent first."""
    counts = Counter(word for words in unknown for word in words)
    shown = " ".join(word for word, _ in counts.most_common(MOST_WORDS))
    more = f" and {len(counts) - MOST_WORDS:,} more" if len(counts) > MOST_WORDS else ""
    affected = sum(map(bool, unknown))
    return (
        f"note: {affected:,} of {len(unknown):,} sentences have words that the classifier has not learned: "
        f"{shown}{more} (--unknown shows them for each sentence)"
    )
