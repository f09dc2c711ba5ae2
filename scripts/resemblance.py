"""Which diagnostic task does a data set resemble? `python scripts/resemblance.py docs/runs/when_which.csv logs/my`."""

from textpool.commands.resemblance import main

if __name__ == "__main__":
    main()
