"""Measure the runs of a study on other lengths: `python scripts/lengths.py logs/my_study 10 20 50 100 200 400`."""

from textpool.commands.lengths import main

if __name__ == "__main__":
    main()
