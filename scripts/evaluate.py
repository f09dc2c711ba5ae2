"""Measure a checkpoint, on its own test split or on a file: `python scripts/evaluate.py best.ckpt [my_test.csv]`."""

from textpool.commands.evaluate import main

if __name__ == "__main__":
    main()
