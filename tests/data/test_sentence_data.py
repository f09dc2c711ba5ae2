"""The data module: vocabulary and labels of the training split, reproducible batches, and use after training."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from torch.utils.data import DataLoader, DistributedSampler

from textpool.data import Sentence, SentenceData, Splits, Vocabulary
from textpool.data.batches import Batch
from textpool.data.reading import FileOptions


class Listed(SentenceData):
    """A data set of given sentences."""

    def __init__(self, splits: Splits, **batching: Any) -> None:
        super().__init__(**batching)
        self.given = splits
        self.loaded = 0

    def load(self) -> Splits:
        self.loaded += 1
        return self.given


def of_texts(*labelled: str) -> list[Sentence]:
    """Sentences from texts of the form «label word word …»."""
    return [Sentence(text.split()[1:], text.split()[0]) for text in labelled]


SMALL = Splits(of_texts("yes b a a", "no c"), of_texts("no a new c", "yes c"), of_texts("yes b", "no a b", "yes c"))
NUMBERED = [Sentence([f"w{number:03}"], "ab"[number % 2]) for number in range(50)]


def numbered(**batching: Any) -> SentenceData:
    """Data of one-word sentences, each with a different word."""
    data = Listed(Splits(NUMBERED, NUMBERED[:9], NUMBERED[9:20]), **{"batch_size": 8, **batching})
    data.setup()
    return data


def order(loader: DataLoader[Batch], epoch: int = 0) -> list[int]:
    """The numbers of the sentences in the order of an epoch."""
    if isinstance(loader.sampler, DistributedSampler):
        loader.sampler.set_epoch(epoch)  # Lightning's Trainer does it in training, see test_trainer_advances_the_epochs
    return [token - 2 for batch in loader for token in batch.tokens[:, 0].tolist()]


def test_vocabulary_and_labels_come_from_the_training_split():
    """Words that occur only in the other splits are unknown, labels are sorted, and every split is encoded."""
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


def test_texts_are_words_separated_by_spaces():
    """A source that has only words gives these as text, in the order of the sentences."""
    data = Listed(SMALL)
    data.setup()
    assert data.texts("val") == ["a new c", "c"]
    assert data.texts("test") == ["b", "a b", "c"]


def test_source_may_build_its_own_vocabulary():
    """`setup` uses an overridden `build_vocabulary`, and gives it the training split."""

    class First(Listed):
        def build_vocabulary(self, train):
            return Vocabulary(["<PAD>", train[0].words[0]])

    data = First(SMALL)
    data.setup()
    assert data.encoded["train"].__getitems__([0, 1]).tokens.tolist() == [[1], [0]]


def test_setup_loads_once():
    """Lightning calls `setup` for each stage: the data are loaded once, and remain the same objects."""
    data = Listed(SMALL)
    data.setup("fit")
    kept = dict(data.encoded)
    data.setup("test")
    data.setup()
    assert data.loaded == 1
    assert all(data.encoded[split] is kept[split] for split in Splits._fields)


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
    """Class numbers follow the value of numeric labels, 2 before 10, and the alphabetical order of the others."""
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
    """`max_length` cuts the sentences of every split, and `pad_to` determines the width of a batch."""
    data = Listed(SMALL, **batching)
    data.setup()
    [train], [val] = data.train_dataloader(), data.val_dataloader()
    assert (train.tokens.shape[1], val.tokens.shape[1]) == widths


def test_batches_have_the_batch_size():
    """All training batches except the last have `batch_size` sentences, and no sentence is dropped."""
    assert [len(batch.labels) for batch in numbered().train_dataloader()] == [8] * 6 + [2]


def test_evaluation_takes_large_batches(monkeypatch: pytest.MonkeyPatch):
    """As many sentences as have a bounded number of tokens, padding included, but no fewer than in training."""
    data = numbered()
    assert [len(batch.labels) for batch in data.test_dataloader()] == [11]
    monkeypatch.setattr("textpool.data.base.EVALUATION_TOKENS", 9 * data.encoded["test"].longest)
    assert [len(batch.labels) for batch in data.test_dataloader()] == [9, 2]
    with monkeypatch.context() as patch:  # or as have a bounded number of logits: of 10,000 classes, few
        patch.setattr("textpool.data.base.EVALUATION_LOGITS", 10 * len(data.labels))
        patch.setattr("textpool.data.base.EVALUATION_TOKENS", 2**16)
        assert [len(batch.labels) for batch in data.test_dataloader()] == [10, 1]
    monkeypatch.setattr("textpool.data.base.EVALUATION_TOKENS", 1)
    assert [len(batch.labels) for batch in data.test_dataloader()] == [8, 3]


def test_order_depends_on_seed_and_epoch_only():
    """The global generator, earlier epochs and the batch size do not change the order of an epoch."""
    torch.manual_seed(1)
    expected = order(numbered(shuffle_seed=3).train_dataloader(), epoch=2)
    torch.manual_seed(2)
    loader = numbered(shuffle_seed=3, batch_size=7).train_dataloader()
    assert order(loader, 0) != expected
    assert order(loader, 2) == expected


def test_loaders_do_not_use_the_global_generator():
    """Dropout draws from the global generator: one more pass over the validation split must not change the training."""
    data = numbered()
    before = torch.get_rng_state()
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        order(loader)
        assert torch.get_rng_state().equal(before)


def test_no_two_epochs_have_the_same_order():
    """Every epoch of every seed has an order of its own: epoch 1 of seed 0 is not epoch 0 of seed 1."""
    orders = []
    for seed in (0, 1, 2, 42, 43):
        loader = numbered(shuffle_seed=seed).train_dataloader()
        orders += [order(loader, epoch) for epoch in range(5)]
    assert all(sorted(taken) == list(range(50)) for taken in orders)
    assert len(set(map(tuple, orders))) == 25


def test_only_the_training_split_is_shuffled():
    """Validation and test batches keep the order of the sentences, so that predictions match them by index."""
    data = numbered()
    assert order(data.train_dataloader()) != list(range(50))
    assert order(data.val_dataloader()) == list(range(9))
    assert order(data.test_dataloader()) == list(range(9, 20))


@pytest.mark.filterwarnings("ignore:.*(does not have many workers|LeafSpec)")
def test_trainer_advances_the_epochs():
    """In a fit of two epochs, Lightning sets the epoch of the sampler: the orders are those of epochs 0 and 1."""

    class Recorder(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))
            self.taken: list[int] = []

        def training_step(self, batch: Batch) -> torch.Tensor:
            self.taken += [token - 2 for token in batch.tokens[:, 0].tolist()]
            return self.weight * 0

        def validation_step(self, batch: Batch) -> None:
            """Do nothing; without this method Lightning warns."""

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


def test_processes_divide_an_epoch(monkeypatch):
    """Each of two processes takes one half of the same shuffled order."""
    whole = order(numbered().train_dataloader(), epoch=1)
    data = numbered()
    for rank in (0, 1):
        monkeypatch.setattr(data, "trainer", SimpleNamespace(world_size=2, global_rank=rank))
        assert order(data.train_dataloader(), epoch=1) == whole[rank::2]


def test_empty_sentences_are_kept_with_one_note():
    """Empty sentences are not dropped, and one note says how many there are in all splits."""
    splits = Splits(of_texts("yes a", "no"), of_texts("yes"), of_texts("no b", "yes c"))
    data = Listed(splits)
    data.setup()
    data.setup()
    assert data.notes == ["2 of 5 sentences are empty: they are kept, and pooled to zeros"]
    assert [len(data.encoded[split]) for split in Splits._fields] == [2, 1, 2]
    [val] = data.val_dataloader()
    assert val.tokens.tolist() == [[0]]


def test_no_note_without_empty_sentences():
    """Sentences that are cut by `max_length` are not reported as empty."""
    data = Listed(SMALL, max_length=1)
    data.setup()
    assert not data.notes


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
    """The error names the setting and the allowed values."""
    with pytest.raises(ValueError, match=f"^{re.escape(name)}: expected .*got "):
        Listed(SMALL, **batching)


def restored(**batching: Any) -> Listed:
    """Data with vocabulary and labels of a checkpoint, whose own sentences are not needed."""
    data = Listed(SMALL, **batching)
    data.restore(("<PAD>", "<UNK>", "bad", "good"), ("neg", "pos"))
    return data


def save(path: Path, *lines: str) -> str:
    """Write a file, and return its path."""
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_restored_data_load_no_sentence():
    """A checkpoint can be used where the files of its training are missing: `load` is not called."""
    data = restored()
    assert data.vocabulary.words == ["<PAD>", "<UNK>", "bad", "good"]
    assert data.labels == ["neg", "pos"]
    encoded = data.encode([Sentence(["good", "new"], "pos"), Sentence(["bad"], "neg")])
    [batch] = data.loader(encoded)
    assert batch.tokens.tolist() == [[3, 1], [2, 0]]
    assert batch.labels.tolist() == [1, 0]
    assert data.loaded == 0


def test_restored_data_encode_as_in_training():
    """Data restored with the vocabulary and labels of a training run encode sentences as that run did."""
    trained, used = Listed(SMALL), Listed(Splits([], [], []))
    trained.setup()
    used.restore(trained.vocabulary.words, trained.labels)
    batches = [data.encode(SMALL.test).__getitems__([0, 1, 2]) for data in (trained, used)]
    assert batches[0].tokens.equal(batches[1].tokens)
    assert batches[0].labels.equal(batches[1].labels)


@pytest.mark.parametrize(
    ("batching", "tokens"),
    [
        ({}, [[3, 1, 2], [0, 0, 0], [2, 0, 0]]),
        ({"max_length": 2}, [[3, 1], [0, 0], [2, 0]]),
        ({"max_length": 4, "pad_to": "max_length"}, [[3, 1, 2, 0], [0, 0, 0, 0], [2, 0, 0, 0]]),
    ],
)
def test_texts_without_labels_are_encoded(batching, tokens):
    """Texts to classify are tokenised, cut and padded as the training sentences were, with 0 for the missing class."""
    data = restored(**batching)
    [batch] = data.loader(data.encode_texts(["good  new bad", "", "bad"]))
    assert batch.tokens.tolist() == tokens
    assert batch.labels.tolist() == [0, 0, 0]
    assert len(data.encode_texts([])) == 0


def test_labelled_file_is_read(tmp_path):
    """`read` tokenises the sentences of any file, and gives them their labels."""
    path = save(tmp_path / "a.csv", "text,label", "so  good,pos", "bad,neg")
    assert restored().read(path) == [Sentence(["so", "good"], "pos"), Sentence(["bad"], "neg")]


def test_given_options_replace_the_stored_ones(tmp_path):
    """An option that is None keeps its stored value, so that a file is read as the training file was."""
    data = restored()
    data.file_options = FileOptions("tsv", "cp1252", "sentence", "class")
    path = tmp_path / "a.csv"
    path.write_bytes("class\tsentence\tlabel\npos\tcafé\tneg\n".encode("cp1252"))
    unchanged = dict.fromkeys(("format", "encoding", "text_column", "label_column"))
    assert data.read(str(path)) == data.read(str(path), **unchanged) == [Sentence(["café"], "pos")]
    assert data.read(str(path), label_column="label") == [Sentence(["café"], "neg")]
    assert data.read(save(tmp_path / "a.txt", "pos café"), format="txt", encoding="utf-8") == data.read(str(path))
    assert data.file_options == FileOptions("tsv", "cp1252", "sentence", "class")


def test_unknown_format_of_a_file_is_named():
    """A mistyped option of `read` is an error that lists the formats."""
    with pytest.raises(ValueError, match=r"^format: expected one of txt, csv, tsv, jsonl, got 'xml'$"):
        restored().read("a.txt", format="xml")


def test_label_unknown_to_the_classifier_is_named(tmp_path):
    """The message gives file and line, and lists at most ten of the labels that the classifier knows."""
    data = restored()
    path = save(tmp_path / "a.txt", "pos good", "Pos good")
    with pytest.raises(ValueError, match="label") as error:
        data.read(path)
    assert str(error.value) == f"{path}:2: label 'Pos' is none of the classifier's: 'neg', 'pos'"
    data.restore(["<PAD>"], [f"l{number:02}" for number in range(12)])
    with pytest.raises(ValueError, match=r"a.txt:1: label 'pos' is none of the classifier's: 'l00', .*, 'l09', …$"):
        data.read(path)


def test_loader_uses_the_given_batch_size():
    """Prediction may use larger batches than training; without a batch size the loader uses that of the data."""
    data = restored(batch_size=2)
    dataset = data.encode_texts(["good"] * 5)
    assert [len(batch.labels) for batch in data.loader(dataset)] == [2, 2, 1]
    assert [len(batch.labels) for batch in data.loader(dataset, batch_size=4)] == [4, 1]


def test_loader_uses_the_given_sampler():
    """A sampler determines which sentences are in the batches, and in which order."""
    data = numbered()
    every_second = DistributedSampler(data.encoded["train"], num_replicas=2, rank=1, shuffle=False)
    assert order(data.loader(data.encoded["train"], every_second)) == list(range(1, 50, 2))


@pytest.mark.parametrize(("pad_to", "fixed"), [("batch", False), ("max_length", True)])
def test_fixed_length_says_whether_all_batches_have_the_same_width(pad_to, fixed):
    """With `pad_to=batch` the width depends on the batch, also where `max_length` is set."""
    data = restored(max_length=3, pad_to=pad_to)
    assert data.fixed_length is fixed
    widths = [len(data.encode_texts([text])[0].tokens[0]) for text in ("good", "good bad")]
    assert (len(set(widths)) == 1) is fixed
