"""Classify sentences: `echo "a great film" | python scripts/predict.py logs/…/checkpoints/best.ckpt`."""

import argparse
import sys


def main() -> None:
    """Print label, its probability and the sentence, a line a sentence."""
    parser = argparse.ArgumentParser(description="Classify sentences with a trained checkpoint.")
    parser.add_argument("checkpoint", help="path of a best.ckpt or last.ckpt")
    parser.add_argument("sentences", nargs="*", help="sentences; without any, the lines of standard input")
    arguments = parser.parse_args()
    from textpool.inference import load, predict  # late: --help needs neither torch nor Lightning
    from textpool.training import keep_quiet

    keep_quiet()
    try:
        classifier = load(arguments.checkpoint)
    except ValueError as error:
        sys.exit(f"error: {error}")
    sentences = arguments.sentences or [line.rstrip("\n") for line in sys.stdin]
    for sentence, prediction in zip(sentences, predict(classifier, sentences), strict=True):
        print(f"{prediction.label}\t{prediction.probabilities[prediction.label]:.4f}\t{sentence}")


if __name__ == "__main__":
    main()
