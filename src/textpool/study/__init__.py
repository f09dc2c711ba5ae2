"""A study is a folder of runs. This package reads and writes files only: it imports neither torch nor Lightning."""
