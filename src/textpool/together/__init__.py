"""Runs that differ in the seed alone, trained at once: `hydra/launcher=together`.

Each run is an ordinary run with its own folder, Trainer, callbacks and checkpoints; only the training steps of an epoch
are taken for all of them together (`epoch`). The runs take turns in threads of one process (`group`), and groups of
runs are spread over processes (`launch`). No other part of textpool knows of this package.
"""
