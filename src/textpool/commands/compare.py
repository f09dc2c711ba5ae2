"""Compare the runs of studies."""

import argparse
import sys
from pathlib import Path

FORMATS = ("table", "md", "csv", "json", "latex")


def main() -> None:
    """Print the table; for a single study, write tables and figures to its folder too."""
    parser = argparse.ArgumentParser(description="Compare the runs of studies by what is on disk.")
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY", help="folder such as logs/my_study")
    parser.add_argument("--metric", default="test/acc", help="default: test/acc")
    parser.add_argument("--baseline", help="row or pooling to take differences from; default: max, else the first row")
    parser.add_argument("--by", help="factors that set comparisons apart, such as data,model; default: all that differ")
    parser.add_argument(
        "--sort", metavar="COLUMN", help="mean, difference, n_params, seconds, row or another column of comparison.csv"
    )
    parser.add_argument("--theory", help="expectations to hold the results against, such as docs/theory.yaml")
    parser.add_argument("--format", default="table", choices=FORMATS, help="default: a table, and files in the study")
    arguments = parser.parse_args()
    from textpool.study.report import report  # late: --help needs neither pandas nor SciPy
    from textpool.study.theory import read_theory

    by = arguments.by.split(",") if arguments.by else None
    try:
        theory = read_theory(arguments.theory) if arguments.theory else None
        report(
            arguments.studies,
            arguments.metric,
            arguments.baseline or "max",
            by,
            theory,
            arguments.format,
            arguments.sort,
            require_baseline=arguments.baseline is not None,
        )
    except ValueError as error:
        sys.exit(f"error: {error}")
