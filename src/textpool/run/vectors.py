"""Pretrained word vectors as the first weights of a model's embedding."""

import torch
from torch import nn

from textpool.checks import switch
from textpool.data import SentenceData
from textpool.data.vectors import read_vectors


def set_vectors(model: nn.Module, data: SentenceData, path: str, tune: bool) -> str:
    """Give the words that a file knows their pretrained vectors; other words keep their random ones.

    Args:
        model: with an `nn.Embedding` as its attribute `embedding`.
        data: after `setup`.
        path: see `textpool.data.vectors.read_vectors`.
        tune: whether training changes the embedding, of all words.

    Returns:
        How many words have a vector, in words for people.

    Raises:
        ValueError: if the model has no embedding, or one of another dimension.
    """
    switch("tune_vectors", tune)
    embedding = getattr(model, "embedding", None)
    if not isinstance(embedding, nn.Embedding):
        raise ValueError(
            f"vectors: {type(model).__name__} has no nn.Embedding with the name embedding: set vectors=null"
        )
    words = data.vocabulary.words[1:]  # without the padding, whose vector stays 0
    vectors = read_vectors(path, words)
    if vectors.dimensions != embedding.embedding_dim:
        raise ValueError(
            f"model.embedding_dim: expected {vectors.dimensions}, the dimension of the vectors in {path}, "
            f"got {embedding.embedding_dim}"
        )
    with torch.no_grad():
        for number, word in enumerate(words, start=1):
            if word in vectors.found:
                embedding.weight[number] = torch.from_numpy(vectors.found[word])
    embedding.weight.requires_grad_(tune)
    n_tokens = max(1, sum(len(sentence.words) for sentence in data.splits.train))
    covered = sum(word in vectors.found for sentence in data.splits.train for word in sentence.words)
    return (
        f"vectors: {len(vectors.found):,} of {len(words):,} words of the vocabulary, and {covered / n_tokens:.1%} "
        f"of the words of the training split, are among the {vectors.n_read:,} of {path}"
    )
