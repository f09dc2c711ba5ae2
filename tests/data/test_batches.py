"""Batches from one long tensor equal batches made from plain lists."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from textpool.data.batches import EncodedSentences, SharedSampler, gather_sentences, identity_collate, order_by_length

SENTENCES = [[1, 2, 3], [], [4], [5, 6, 7, 8], []]
LABELS = [0, 1, 0, 2, 1]

sentence_lists = st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=8)


def padded(sentences: list[list[int]], width: int) -> list[list[int]]:
    """Sentences padded with 0 at the end."""
    return [sentence + [0] * (width - len(sentence)) for sentence in sentences]


@given(st.data(), sentence_lists, st.none() | st.integers(6, 9))
def test_gathering_equals_plain_lists(draw, sentences, width):
    """Any selection of sentences, in any order and with repetitions, is complete and padded with 0 at the end."""
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    tokens = torch.tensor([token for sentence in sentences for token in sentence] + [0])
    chosen = draw.draw(st.lists(st.integers(0, len(sentences) - 1), min_size=1))
    gathered = gather_sentences(tokens, (lengths.cumsum(0) - lengths)[chosen], lengths[chosen], width)
    expected = [sentences[index] for index in chosen]
    assert gathered.tolist() == padded(expected, width or max(1, *map(len, expected)))


@given(st.data(), sentence_lists, st.none() | st.integers(1, 7), st.booleans())
def test_batches_equal_plain_lists(draw, sentences, max_length, pad_to_max):
    """Sentences are cut to `max_length`, padded to it or to the longest of the batch, and keep their labels."""
    pad_to_max = pad_to_max and max_length is not None
    dataset = EncodedSentences(sentences, list(range(len(sentences))), max_length, pad_to_max)
    chosen = draw.draw(st.lists(st.integers(0, len(sentences) - 1), min_size=1))
    cut = [sentences[index][:max_length] for index in chosen]
    width = max_length if pad_to_max and max_length else max(1, *map(len, cut))
    batch = dataset.__getitems__(chosen)
    assert batch.tokens.tolist() == padded(cut, width)
    assert batch.labels.tolist() == chosen


def test_batches_by_hand():
    """Both values of `pad_to_max` give the padding computed by hand."""
    assert EncodedSentences(SENTENCES, LABELS).__getitems__([2, 0, 1]).tokens.tolist() == [
        [4, 0, 0],
        [1, 2, 3],
        [0, 0, 0],
    ]
    assert EncodedSentences(SENTENCES, LABELS, max_length=2).__getitems__([2, 0]).tokens.tolist() == [[4, 0], [1, 2]]
    wide = EncodedSentences(SENTENCES, LABELS, max_length=5, pad_to_max=True)[2]
    assert wide.tokens.tolist() == [[4, 0, 0, 0, 0]]
    assert wide.labels.tolist() == [0]


def test_empty_sentences_make_a_batch():
    """A batch of empty sentences only, with the last sentence of the data set, is one column of padding."""
    batch = EncodedSentences(SENTENCES, LABELS).__getitems__([4, 1])
    assert batch.tokens.tolist() == [[0], [0]]
    assert batch.tokens.dtype == batch.labels.dtype == torch.long
    assert EncodedSentences([[]], [0])[0].tokens.tolist() == [[0]]


def test_loader_gives_what_indexing_gives():
    """The batches of a DataLoader, with its shorter last batch, are those of direct indexing."""
    dataset = EncodedSentences(SENTENCES, LABELS)
    batches = list(DataLoader(dataset, batch_size=2, collate_fn=identity_collate))
    assert len(dataset) == 5
    assert [batch.labels.tolist() for batch in batches] == [[0, 1], [0, 2], [1]]
    for batch, chosen in zip(batches, ([0, 1], [2, 3], [4]), strict=True):
        assert batch.tokens.equal(dataset.__getitems__(chosen).tokens)


@given(lengths=st.lists(st.integers(0, 50), max_size=300), batch_size=st.integers(1, 7), seed=st.integers(0, 9))
def test_an_order_by_length_has_each_sentence_once(lengths, batch_size, seed):
    """Also where the last batch, or the last pool, is incomplete."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(lengths), generator=generator)
    found = order_by_length(order, torch.tensor(lengths, dtype=torch.long), batch_size, generator)
    assert sorted(found.tolist()) == list(range(len(lengths)))


def test_sentences_of_a_batch_have_similar_lengths():
    """The padding nearly disappears, the batches come at random, and each epoch has other ones."""
    drawn = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 60, (2000,), generator=drawn).tolist()
    dataset = EncodedSentences([[1] * length for length in lengths], [0] * 2000)
    padding = {}
    for batch_size in (None, 64):
        sampler = SharedSampler(dataset, num_replicas=1, rank=0, seed=3, batch_size=batch_size)
        batches = [[lengths[index] for index in batch] for batch in torch.tensor(list(sampler)).split(64)]
        padding[batch_size] = sum(max(batch) * len(batch) - sum(batch) for batch in batches) / sum(lengths)
    assert padding[None] > 0.9
    assert padding[64] < 0.06  # of the incomplete batch most of all
    widest = [max(batch) for batch in batches]
    assert widest != sorted(widest)
    first, again = list(sampler), list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert first == again != second
    assert {frozenset(first[:64])}.isdisjoint(frozenset(second[start : start + 64]) for start in range(0, 2000, 64))


def test_processes_share_batches_of_similar_lengths():
    """The sentences of a step are those of the batch that one process would have."""
    dataset = EncodedSentences([[1] * (number % 9) for number in range(64)], [0] * 64)
    order = list(SharedSampler(dataset, num_replicas=1, rank=0, seed=3, batch_size=8))
    shares = [list(SharedSampler(dataset, num_replicas=2, rank=rank, seed=3, batch_size=8)) for rank in range(2)]
    assert [index for step in zip(*shares, strict=True) for index in step] == order
