"""Draw what the filters of a trained text CNN look for: `python scripts/filters.py logs/first/max`."""

from textpool.commands.filters import main

if __name__ == "__main__":
    main()
