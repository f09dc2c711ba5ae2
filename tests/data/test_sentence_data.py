"""The data module: numbers from the training part, and an order that hangs on seed and epoch only."""

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader, DistributedSampler

from textpool.data import Sentence, SentenceData, Splits, Vocabulary
from textpool.data.batches import Batch


class Listed(SentenceData):
    """Given sentences."""

    def __init__(self, splits: Splits, **batching: Any) -> None:
        super().__init__(**batching)
        self.given = splits
        self.loaded = 0

    def load(self) -> Splits:
        self.loaded += 1
        return self.given


def of_texts(*labelled: str) -> list[Sentence]:
    """Sentences from «label word word …»."""
    return [Sentence(text.split()[1:], text.split()[0]) for text in labelled]


SMALL = Splits(of_texts("yes b a a", "no c"), of_texts("no a new c", "yes c"), of_texts("yes b", "no a b", "yes c"))
NUMBERED = [Sentence([f"w{number:03}"], "ab"[number % 2]) for number in range(50)]


def numbered(**batching: Any) -> SentenceData:
    """Sentences of one word each, which tells them apart."""
    data = Listed(Splits(NUMBERED, NUMBERED[:9], NUMBERED[9:20]), **{"batch_size": 8, **batching})
    data.setup()
    return data


def order(loader: DataLoader[Batch], epoch: int = 0) -> list[int]:
    """The sentences in the order in which an epoch takes them."""
    if isinstance(loader.sampler, DistributedSampler):
        loader.sampler.set_epoch(epoch)  # Lightning's affair, see the test with its Trainer
    return [token - 2 for batch in loader for token in batch.tokens[:, 0].tolist()]


def test_numbers_come_from_the_training_part():
    """Words of the other parts get no number of their own; labels are sorted; every part is numbered."""
    data = Listed(SMALL)
    data.setup()
    assert data.vocabulary.words == ["<PAD>", "<UNK>", "a", "b", "c"]
    assert data.labels == ["no", "yes"]
    assert data.splits == SMALL
    assert data.encoded["train"].__getitems__([0, 1]).tokens.tolist() == [[3, 2, 2], [4, 0, 0]]
    [val] = data.val_dataloader()
    assert val.tokens.tolist() == [[2, 1, 4], [4, 0, 0]]
    assert val.labels.tolist() == [0, 1]
    [test] = data.test_dataloader()
    assert test.labels.tolist() == [1, 0, 1]


def test_source_may_build_its_own_vocabulary():
    """A source that overrides `build_vocabulary` is asked for it, with the training part."""

    class First(Listed):
        def build_vocabulary(self, train):
            return Vocabulary(["<PAD>", train[0].words[0]])

    data = First(SMALL)
    data.setup()
    assert data.encoded["train"].__getitems__([0, 1]).tokens.tolist() == [[1], [0]]


def test_setup_loads_once():
    """Lightning calls `setup` for each stage: the data are read once, and stay the same objects."""
    data = Listed(SMALL)
    data.setup("fit")
    kept = dict(data.encoded)
    data.setup("test")
    data.setup()
    assert data.loaded == 1
    assert all(data.encoded[part] is kept[part] for part in Splits._fields)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "2", "1"], ["1", "2", "10"]),
        (["1", "-1", "0"], ["-1", "0", "1"]),
        (["pos", "neg", "Neutral"], ["Neutral", "neg", "pos"]),
        (["b", "10", "a", "9"], ["9", "10", "a", "b"]),
        (["02", "2", "-"], ["02", "2", "-"]),
    ],
)
def test_labels_are_in_natural_order(labels, expected):
    """Class numbers follow the size of numbers, 2 before 10, and the alphabet of words."""
    sentences = [Sentence(["word"], label) for label in labels]
    data = Listed(Splits(sentences, [], []))
    data.setup()
    assert data.labels == expected
    assert [data.labels[number] for number in data.encoded["train"].labels.tolist()] == labels


@pytest.mark.parametrize(
    ("batching", "widths"),
    [
        ({}, (3, 3)),
        ({"max_length": 2}, (2, 2)),
        ({"max_length": 2, "pad_to": "max_length"}, (2, 2)),
        ({"max_length": 5, "pad_to": "max_length"}, (5, 5)),
        ({"max_length": 5}, (3, 3)),
    ],
)
def test_width_of_batches(batching, widths):
    """`max_length` cuts in every part, `pad_to` says how wide a batch is."""
    data = Listed(SMALL, **batching)
    data.setup()
    [train], [val] = data.train_dataloader(), data.val_dataloader()
    assert (train.tokens.shape[1], val.tokens.shape[1]) == widths


def test_batch_size_is_kept_to():
    """All batches have `batch_size` sentences, but for the last, and none is dropped."""
    for loader, n in ((numbered().train_dataloader(), 50), (numbered().test_dataloader(), 11)):
        sizes = [len(batch.labels) for batch in loader]
        assert sizes[:-1] == [8] * (n // 8)
        assert sum(sizes) == n


def test_order_hangs_on_seed_and_epoch_only():
    """Neither the global generator nor earlier epochs nor the batch size change what an epoch takes next."""
    torch.manual_seed(1)
    expected = order(numbered(shuffle_seed=3).train_dataloader(), epoch=2)
    torch.manual_seed(2)
    loader = numbered(shuffle_seed=3, batch_size=7).train_dataloader()
    assert order(loader, 0) != expected
    assert order(loader, 2) == expected


def test_a_pass_draws_nothing_from_the_global_generator():
    """Dropout draws from there: one more look at the validation part must not change the training."""
    data = numbered()
    before = torch.get_rng_state()
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        order(loader)
        assert torch.get_rng_state().equal(before)


def test_no_two_epochs_share_an_order():
    """Epochs differ, seeds differ, and no later epoch of a seed is an early one of the next (nor in any sweep)."""
    orders = []
    for seed in (0, 1, 2, 42, 43):
        loader = numbered(shuffle_seed=seed).train_dataloader()
        orders += [order(loader, epoch) for epoch in range(5)]
    assert all(sorted(taken) == list(range(50)) for taken in orders)
    assert len(set(map(tuple, orders))) == 25


def test_training_part_is_shuffled_and_the_others_are_not():
    """Predictions of the test part stand in the order of its sentences."""
    data = numbered()
    assert order(data.train_dataloader()) != list(range(50))
    assert order(data.val_dataloader()) == list(range(9))
    assert order(data.test_dataloader()) == list(range(9, 20))


@pytest.mark.filterwarnings("ignore:.*(does not have many workers|LeafSpec)")
def test_trainer_advances_the_epochs():
    """Lightning tells the sampler its epoch: a real fit takes the orders of epochs 0 and 1."""

    class Recorder(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))
            self.taken: list[int] = []

        def training_step(self, batch: Batch) -> torch.Tensor:
            self.taken += [token - 2 for token in batch.tokens[:, 0].tolist()]
            return self.weight * 0

        def validation_step(self, batch: Batch) -> None:
            """Lightning warns where there is none."""

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.0)

    recorder = Recorder()
    quiet: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "limit_val_batches": 0,
    }
    Trainer(accelerator="cpu", max_epochs=2, **quiet).fit(recorder, datamodule=numbered())
    loader = numbered().train_dataloader()
    assert recorder.taken == order(loader, 0) + order(loader, 1)


def test_processes_share_an_epoch(monkeypatch):
    """Each of two processes takes half of the same shuffled epoch."""
    whole = order(numbered().train_dataloader(), epoch=1)
    data = numbered()
    for rank in (0, 1):
        monkeypatch.setattr(data, "trainer", SimpleNamespace(world_size=2, global_rank=rank))
        assert order(data.train_dataloader(), epoch=1) == whole[rank::2]


def test_empty_sentences_are_kept_and_told_once(caplog):
    """An empty line is the user's affair: it stays, and one warning counts them over all parts."""
    splits = Splits(of_texts("yes a", "no"), of_texts("yes"), of_texts("no b", "yes c"))
    data = Listed(splits)
    with caplog.at_level(logging.WARNING):
        data.setup()
        data.setup()
    assert [record.getMessage() for record in caplog.records] == [
        "2 of 5 sentences are empty: kept, and pooled to zeros"
    ]
    assert [len(data.encoded[part]) for part in Splits._fields] == [2, 1, 2]
    [val] = data.val_dataloader()
    assert val.tokens.tolist() == [[0]]


def test_no_warning_without_empty_sentences(caplog):
    """The warning is for those whom it concerns, not for sentences that are merely cut."""
    Listed(SMALL, max_length=1).setup()
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "batching"),
    [
        ("batch_size", {"batch_size": 0}),
        ("batch_size", {"batch_size": True}),
        ("pad_to", {"pad_to": "longest"}),
        ("max_length", {"max_length": 0}),
        ("max_length", {"pad_to": "max_length"}),
        ("shuffle_seed", {"shuffle_seed": -1}),
        ("num_workers", {"num_workers": -1}),
    ],
)
def test_bad_setting_of_batches_is_named(name, batching):
    """Whoever mistypes a setting reads its name and what is allowed."""
    with pytest.raises(ValueError, match=f"^{re.escape(name)}: expected .*got "):
        Listed(SMALL, **batching)
