"""Compare the runs of studies: `python scripts/compare.py logs/my_study --baseline max`."""

import argparse
import sys
from pathlib import Path

from textpool.study.compare import compare
from textpool.study.table import FORMATS, write
from textpool.study.terminal import show


def main() -> None:
    """Print the table; of one study, write it to its folder too."""
    parser = argparse.ArgumentParser(description="Compare the runs of studies by what is on disk.")
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY", help="folder such as logs/my_study")
    parser.add_argument("--metric", default="test/acc", help="default: test/acc")
    parser.add_argument("--baseline", default="max", help="row or pooling to take differences from; default: max")
    parser.add_argument("--by", help="settings that set comparisons apart, such as data,model; default: all swept")
    parser.add_argument("--format", default="table", choices=["table", *FORMATS])
    arguments = parser.parse_args()
    by = arguments.by.split(",") if arguments.by else None
    try:
        comparison = compare(arguments.studies, arguments.metric, arguments.baseline, by)
    except ValueError as error:
        sys.exit(f"error: {error}")
    if arguments.format != "table":
        print(FORMATS[arguments.format](comparison), end="")
        return
    show(comparison)
    if len(arguments.studies) == 1:
        write(comparison, arguments.studies[0])
        from textpool.study import plots  # late: matplotlib takes a second

        plots.write(comparison, arguments.studies[0])


if __name__ == "__main__":
    main()
