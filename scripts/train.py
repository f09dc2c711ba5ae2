"""Train one pooling, or compare many: `python scripts/train.py --help`."""

from textpool.commands.train import main

if __name__ == "__main__":
    main()
