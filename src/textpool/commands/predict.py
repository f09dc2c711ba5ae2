"""Classify sentences."""

import argparse
import sys


def main() -> None:
    """Print one line per sentence: label, its probability, sentence."""
    parser = argparse.ArgumentParser(description="Classify sentences with a trained checkpoint.")
    parser.add_argument("checkpoint", help="path of a best.ckpt or last.ckpt")
    parser.add_argument("sentences", nargs="*", help="sentences; without any, the lines of standard input")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoint may use"
    )
    arguments = parser.parse_args()
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.inference import predict

    try:
        trained = load(arguments.checkpoint, arguments.allow)
    except ValueError as error:
        sys.exit(f"error: {error}")
    sentences = arguments.sentences or [line.rstrip("\n") for line in sys.stdin]
    for sentence, prediction in zip(sentences, predict(trained, sentences), strict=True):
        print(f"{prediction.label}\t{prediction.probabilities[prediction.label]:.4f}\t{sentence}")
