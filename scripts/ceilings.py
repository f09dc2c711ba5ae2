"""Compute what each pooling can represent: `python scripts/ceilings.py --pooling max,avg --data order`."""

from textpool.commands.ceilings import main

if __name__ == "__main__":
    main()
