"""Measure a checkpoint, on its own test split or on a file."""

import argparse
import json
import sys

FILE_OPTIONS = ("format", "encoding", "text_column", "label_column")


def main() -> None:
    """Print the metrics as JSON."""
    parser = argparse.ArgumentParser(description="Measure a trained checkpoint on labelled sentences.")
    parser.add_argument("checkpoint", help="path of a best.ckpt or last.ckpt")
    parser.add_argument("file", nargs="?", help="labelled sentences; without, the test split of the checkpoint's run")
    for option in FILE_OPTIONS:
        parser.add_argument(f"--{option.replace('_', '-')}", help=f"as data.{option}; default: as in the run")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoint may use"
    )
    arguments = parser.parse_args()
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.inference import evaluate

    options = {option: getattr(arguments, option) for option in FILE_OPTIONS}
    try:
        trained = load(arguments.checkpoint, arguments.allow)
        sentences = trained.data.read(arguments.file, **options) if arguments.file else trained.data.load().test
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(json.dumps({"sentences": len(sentences), **evaluate(trained, sentences)}, indent=2))
