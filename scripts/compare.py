"""Show the table of a study again: `python scripts/compare.py logs/my_study`."""

import argparse
import sys
from pathlib import Path

from textpool.study.compare import compare


def main() -> None:
    """Print the table, and write it to the study's folder as Markdown and CSV."""
    parser = argparse.ArgumentParser(description="Compare the runs of a study.")
    parser.add_argument("study", type=Path, help="folder of a study, such as logs/my_study")
    arguments = parser.parse_args()
    try:
        comparison = compare(arguments.study)
    except ValueError as error:
        sys.exit(f"error: {error}")
    comparison.write(arguments.study)
    comparison.show()


if __name__ == "__main__":
    main()
