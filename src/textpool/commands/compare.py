"""Compare the runs of studies."""

import argparse
import sys
from pathlib import Path

FORMATS = ("table", "md", "csv", "json", "latex")


def main() -> None:
    """Print the table; for a single study, write tables and figures to its folder too."""
    parser = argparse.ArgumentParser(description="Compare the runs of studies by what is on disk.")
    parser.add_argument(
        "studies", type=Path, nargs="+", metavar="STUDY", help="folder such as logs/my_study, or a runs.csv of one"
    )
    parser.add_argument("--metric", default="test/acc", help="default: test/acc")
    parser.add_argument("--baseline", help="row or pooling to take differences from; default: max, else the first row")
    parser.add_argument("--by", help="factors that set comparisons apart, such as data,model; default: all that differ")
    parser.add_argument(
        "--choose",
        metavar="SETTINGS",
        help="settings such as optimizer.lr of which each row has the value that is best on the validation split",
    )
    parser.add_argument(
        "--equal-within",
        type=float,
        default=1.0,
        metavar="POINTS",
        help="accuracies are equal if the interval of their difference is within so many points; default: 1",
    )
    parser.add_argument(
        "--sort", metavar="COLUMN", help="mean, difference, n_params, seconds, row or another column of comparison.csv"
    )
    parser.add_argument("--ceilings", help="what each pooling can represent, such as docs/ceilings.csv")
    parser.add_argument("--groups", help="YAML file of groups of poolings, in which the rows of the picture stand")
    parser.add_argument("--out", type=Path, help="folder for tables and figures; default: that of the study")
    parser.add_argument("--format", default="table", choices=FORMATS, help="default: a table, and files in the study")
    arguments = parser.parse_args()
    from textpool.study.ceilings import read_ceilings  # late: --help needs neither pandas nor SciPy
    from textpool.study.grid import read_groups
    from textpool.study.report import report

    by = arguments.by.split(",") if arguments.by else None
    try:
        ceilings = read_ceilings(arguments.ceilings) if arguments.ceilings else None
        report(
            arguments.studies,
            arguments.metric,
            arguments.baseline or "max",
            by,
            ceilings,
            arguments.format,
            arguments.sort,
            require_baseline=arguments.baseline is not None,
            choose=arguments.choose.split(",") if arguments.choose else (),
            equal_within=arguments.equal_within,
            groups=read_groups(arguments.groups) if arguments.groups else None,
            out=arguments.out,
        )
    except (ValueError, OSError) as error:  # of a disk that is full or cannot be written, after the table was shown
        sys.exit(f"error: {error}")
