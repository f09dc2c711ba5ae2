"""Measure a checkpoint, on its own test split or on a file."""

import argparse
import json
import sys

FILE_OPTIONS = ("format", "encoding", "text_column", "label_column", "delimiter")


def main() -> None:
    """Print the metrics, and those of each class, as JSON."""
    parser = argparse.ArgumentParser(description="Measure a trained checkpoint on labelled sentences.")
    parser.add_argument("checkpoint", help="folder of a run, or path of a best.ckpt or last.ckpt")
    parser.add_argument("file", nargs="?", help="labelled sentences; without, the test split of the checkpoint's run")
    for option in FILE_OPTIONS:
        parser.add_argument(f"--{option.replace('_', '-')}", help=f"as data.{option}; default: as in the run")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoint may use"
    )
    arguments = parser.parse_intermixed_args()  # an option may stand between the two positional ones
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.inference import evaluate, evaluate_classes, find_checkpoint

    options = {option: getattr(arguments, option) for option in FILE_OPTIONS}
    try:
        trained = load(find_checkpoint(arguments.checkpoint), arguments.allow)
        sentences = trained.data.read(arguments.file, **options) if arguments.file else trained.data.load().test
    except ValueError as error:
        sys.exit(f"error: {error}")
    metrics = {"sentences": len(sentences), **evaluate(trained, sentences)}
    print(json.dumps({**metrics, "per_class": evaluate_classes(trained, sentences)}, indent=2))
