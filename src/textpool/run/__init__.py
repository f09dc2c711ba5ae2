"""One run: training, its files, its progress, and its start from Hydra."""
