"""Measure finished runs on test sentences of exact lengths, among them lengths that they were not trained on."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from textpool.build import CONTENT, load, read_checkpoint
from textpool.data import DiagnosticTask
from textpool.data.batches import EncodedSentences
from textpool.inference import accuracy, find_checkpoint

NOT_OF_SENTENCES = ("shuffle_seed", "num_workers", "batch_size")  # settings of data without influence on the sentences


class LengthTest:
    """Test sentences of exact lengths, drawn once for all runs on the same data that follow one another.

    Args:
        allow: modules whose classes a checkpoint may name, see `textpool.build.load`.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self.allow = allow
        self._settings = ""
        self._sets: dict[int, EncodedSentences] = {}

    def measure(self, folder: Path, lengths: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Measure the best checkpoint of a run.

        Args:
            folder: of the run.
            lengths: numbers of words in a sentence. Each has a test set of its own, of as many sentences as the run's
                test split, from the seed of the run's data.

        Yields:
            Per length: `length`; `accuracy`, or None where the task has no such sentences, with the reason in `note`;
            `n_test`: number of sentences; `trained_from`, `trained_to`: lengths of the training sentences.

        Raises:
            ValueError: if the checkpoint cannot be loaded.
        """
        path = find_checkpoint(folder)
        trained = load(path, self.allow)
        data = trained.data
        settings = read_checkpoint(path)[CONTENT]["config"]["data"]
        settings = json.dumps({name: value for name, value in settings.items() if name not in NOT_OF_SENTENCES})
        if settings != self._settings:
            self._settings, self._sets = settings, {}
        for length in lengths:
            found: dict[str, Any] = {"length": length, "accuracy": None, "n_test": None, "note": ""}
            if isinstance(data, DiagnosticTask):
                found |= dict(zip(("trained_from", "trained_to"), data.lengths, strict=True))
                try:
                    sentences = self._sentences(data, length)
                    found |= {"accuracy": accuracy(trained, sentences), "n_test": len(sentences)}
                except ValueError as error:
                    found["note"] = str(error)
            else:
                found |= {"trained_from": None, "trained_to": None, "note": "no diagnostic task"}
            yield found

    def _sentences(self, data: DiagnosticTask, length: int) -> EncodedSentences:
        if length not in self._sets:
            exactly = data.checked_lengths("length", (length, length))
            self._sets[length] = data.encode(data.draw_split("test", exactly))
        return self._sets[length]
