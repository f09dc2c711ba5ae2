"""Add a bag-of-words logistic regression to a study: `python scripts/reference.py logs/my_study`."""

from textpool.commands.reference import main

if __name__ == "__main__":
    main()
