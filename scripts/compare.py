"""Compare the runs of studies: `python scripts/compare.py logs/my_study --baseline max`."""

from textpool.commands.compare import main

if __name__ == "__main__":
    main()
