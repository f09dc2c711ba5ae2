"""Measure a checkpoint, on its own test split, on all sentences of its task, or on a file."""

import argparse
import json
import sys

FILE_OPTIONS = ("format", "encoding", "text_column", "label_column", "delimiter")


def main() -> None:
    """Print the metrics, and those of each class, as JSON."""
    parser = argparse.ArgumentParser(description="Measure a trained checkpoint on labelled sentences.")
    parser.add_argument("checkpoint", help="folder of a run, or path of a best.ckpt or last.ckpt")
    parser.add_argument("file", nargs="?", help="labelled sentences; without, the test split of the checkpoint's run")
    parser.add_argument(
        "--population",
        action="store_true",
        help="the exact accuracy on a diagnostic task with few different sentences: on all of them, each weighted with "
        "its probability, instead of on the test split",
    )
    for option in FILE_OPTIONS:
        parser.add_argument(f"--{option.replace('_', '-')}", help=f"as data.{option}; default: as in the run")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoint may use"
    )
    arguments = parser.parse_intermixed_args()  # an option may stand between the two positional ones
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.inference import evaluate, evaluate_classes, evaluate_population, find_checkpoint

    options = {option: getattr(arguments, option) for option in FILE_OPTIONS}
    try:
        if arguments.population and arguments.file:
            raise ValueError("--population: expected no file, because the sentences are those of the task")
        trained = load(find_checkpoint(arguments.checkpoint), arguments.allow)
        if arguments.population:
            print(json.dumps(evaluate_population(trained), indent=2))
            return
        sentences = trained.data.read(arguments.file, **options) if arguments.file else trained.data.load().test
    except ValueError as error:
        sys.exit(f"error: {error}")
    metrics = {"sentences": len(sentences), **evaluate(trained, sentences)}
    print(json.dumps({**metrics, "per_class": evaluate_classes(trained, sentences)}, indent=2))
