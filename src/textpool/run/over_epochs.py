"""How what a classifier reads of some sentences changes while it is trained, for `callbacks=words_over_epochs`."""

import itertools
import json
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from textpool.build import Trained
from textpool.checks import integer
from textpool.data import SentenceData
from textpool.explain import explain
from textpool.record import EPOCHS, write_atomic
from textpool.run.readings import in_turn, short_sentences


class WordsOverEpochs(Callback):
    """Explain a few validation sentences after each epoch, and write `words_over_epochs.json` beside the result.

    Conneau et al. 2017, "Supervised Learning of Universal Sentence Representations" (arXiv 1705.02364), figure 9: how
    often max pooling takes each word. Here the contributions to the logit of the correct class take that place, which
    exist for every pooling. The picture is drawn with the other figures of the study.

    Args:
        sentences: number of sentences, in turn from each class.
    """

    def __init__(self, sentences: int = 4) -> None:
        self.n_sentences = integer("sentences", sentences, least=1)
        self.epochs: list[int] = []
        self.read: list[dict[str, Any]] = []

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Explain the sentences as the epoch has left the model."""
        data = getattr(trainer, "datamodule", None)
        if trainer.sanity_checking or not isinstance(data, SentenceData) or not trainer.is_global_zero:
            return
        if not self.read:
            self.read = self._chosen(data)
        device = pl_module.device
        self.epochs.append(trainer.current_epoch + 1)
        trained = Trained(pl_module.cpu(), data)  # pyright: ignore[reportArgumentType]
        for each in self.read:
            (found,) = explain(trained, [each["text"]], each["label"])
            each["words"] = found.words
            each["contributions"].append([round(share, 6) for share in found.contributions])
        pl_module.to(device)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the file."""
        if self.read and trainer.is_global_zero:
            sentences = [{name: value for name, value in each.items() if name != "text"} for each in self.read]
            folder = Path(str(trainer.checkpoint_callback.dirpath)).parent  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
            write_atomic(folder / EPOCHS, json.dumps({"epochs": self.epochs, "sentences": sentences}))

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"epochs": self.epochs, "read": self.read}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.epochs, self.read = state_dict["epochs"], state_dict["read"]

    def _chosen(self, data: SentenceData) -> list[dict[str, Any]]:
        targets = data.encoded["val"].labels.tolist()
        texts = data.texts("val")
        chosen = itertools.islice(in_turn(short_sentences(data.encoded["val"]), targets), self.n_sentences)
        return [
            {"index": index, "text": texts[index], "label": data.labels[targets[index]], "contributions": []}
            for index in chosen
        ]
