"""Add a bag-of-words logistic regression to a study, as a row to compare its poolings with."""

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Train the reference for all data of the study, and print the table again."""
    parser = argparse.ArgumentParser(
        description="Train a bag-of-words logistic regression on the data of each run of a study, and add it to the "
        "study as the row bag_of_words."
    )
    parser.add_argument("study", type=Path, metavar="STUDY", help="folder such as logs/my_study")
    parser.add_argument("--baseline", default="max", help="row or pooling to take differences from; default: max")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that may load the data"
    )
    arguments = parser.parse_args()
    from textpool.reference import add_reference  # late: --help needs neither torch nor scikit-learn
    from textpool.study.report import report

    try:
        for line in add_reference(arguments.study, arguments.allow):
            print(line, flush=True)
        report([arguments.study], baseline=arguments.baseline)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
