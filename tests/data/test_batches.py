"""Batches from one long tensor equal batches made from plain lists."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from textpool.data.batches import EncodedSentences, gather_sentences, identity_collate

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
