"""Measure a checkpoint, on its own test part or on a file: `python scripts/evaluate.py best.ckpt [my_test.csv]`."""

import argparse
import json
import sys


def main() -> None:
    """Print the metrics as JSON."""
    parser = argparse.ArgumentParser(description="Measure a trained checkpoint on labelled sentences.")
    parser.add_argument("checkpoint", help="path of a best.ckpt or last.ckpt")
    parser.add_argument("file", nargs="?", help="labelled sentences; without, the test part of the checkpoint's run")
    for option in ("format", "encoding", "text_column", "label_column"):
        parser.add_argument(f"--{option.replace('_', '-')}", help="as data." + option + "; default: as in the run")
    arguments = vars(parser.parse_args())
    from textpool.inference import load, measure, own_test_part, read_sentences  # late: --help needs no torch
    from textpool.training import keep_quiet

    keep_quiet()
    checkpoint, file = arguments.pop("checkpoint"), arguments.pop("file")
    try:
        classifier = load(checkpoint)
        sentences = read_sentences(classifier, file, **arguments) if file else own_test_part(classifier)
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(json.dumps({"sentences": len(sentences), **measure(classifier, sentences)}, indent=2))


if __name__ == "__main__":
    main()
