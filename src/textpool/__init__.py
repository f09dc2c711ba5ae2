"""Compare ways to summarise a sentence of any length as a fixed number of values.

Importing this package imports neither torch nor Lightning, so that `--help`, errors in overrides and
tables of finished studies answer at once.
"""
