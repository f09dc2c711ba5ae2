"""Measure a checkpoint, on its own test split, on all sentences of its task, or on a file."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textpool.build import Trained
    from textpool.data import Sentence

FILE_OPTIONS = ("format", "encoding", "text_column", "label_column", "delimiter")
MOST_SHOWN = 20  # lines that were left out
INCOMPLETE = 3  # exit status where lines were left out


def main() -> None:
    """Print the metrics, and those of each class, as JSON."""
    parser = argparse.ArgumentParser(
        description="Measure a trained checkpoint on labelled sentences. A line of the file that cannot be read is "
        f"left out, told on standard error and counted as `skipped`; the exit status is then {INCOMPLETE}."
    )
    parser.add_argument("checkpoint", help="folder of a run, or path of a best.ckpt or last.ckpt")
    parser.add_argument("file", nargs="?", help="labelled sentences; without, the test split of the checkpoint's run")
    parser.add_argument(
        "--population",
        action="store_true",
        help="the exact accuracy on a diagnostic task with few different sentences: on all of them, each weighted with "
        "its probability, instead of on the test split",
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="draw the confusion matrix, the reliability diagram and the accuracy by length, as PNG and SVG",
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
    skipped: list[str] = []
    try:
        if arguments.population and arguments.file:
            raise ValueError("--population: expected no file, because the sentences are those of the task")
        if arguments.population and arguments.figures:
            raise ValueError("--population: expected no --figures, because the sentences have weights")
        trained = load(find_checkpoint(arguments.checkpoint), arguments.allow)
        if arguments.population:
            print(json.dumps(evaluate_population(trained), indent=2))
            return
        if arguments.file:
            sentences = trained.data.read(arguments.file, skipped.append, **options)
        else:
            sentences = trained.data.load().test
        for message in skipped[:MOST_SHOWN]:
            print(f"skipped: {message}", file=sys.stderr)
        if len(skipped) > MOST_SHOWN:
            print(f"skipped: {len(skipped) - MOST_SHOWN:,} more lines", file=sys.stderr)
        metrics = {"sentences": len(sentences), "skipped": len(skipped), **evaluate(trained, sentences)}
        if arguments.figures:
            metrics |= draw(trained, sentences, arguments)
        print(json.dumps({**metrics, "per_class": evaluate_classes(trained, sentences)}, indent=2))
    except ValueError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or arguments.figures}: {error.strerror}")
    if skipped:
        sys.exit(INCOMPLETE)


def draw(trained: "Trained", sentences: "Sequence[Sentence]", arguments: argparse.Namespace) -> dict[str, float]:
    """Draw the pictures of an evaluation; the expected calibration error as a metric."""
    from textpool.inference import likeliest
    from textpool.study import evaluation

    encoded = trained.data.encode(sentences)
    targets, lengths = encoded.labels.numpy(), encoded.lengths.numpy()
    sure, predicted = (each.numpy() for each in likeliest(trained, encoded))
    sure = sure.astype(float)
    path = Path(arguments.checkpoint).absolute()
    run = path if path.is_dir() else path.parents[1] if path.parent.name == "checkpoints" else path
    title = f"{run.name} on {Path(arguments.file).name if arguments.file else 'its test split'}"
    figures = evaluation.draw(trained.data.labels, targets, predicted, sure, lengths, title)
    evaluation.write(figures, arguments.figures)
    print(f"figures: {arguments.figures}", file=sys.stderr)
    return {"calibration_error": evaluation.calibration_error(predicted == targets, sure)}
