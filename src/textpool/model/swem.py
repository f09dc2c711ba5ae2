"""The simple word-embedding model of Shen et al. 2018, with any pooling."""

from collections.abc import Callable

from jaxtyping import Float, Int
from torch import Tensor, nn

from textpool.checks import fraction, integer
from textpool.model.textcnn import PADDING_INDEX, build_embedding, build_poolings
from textpool.pooling import Pooling


class Swem(nn.Module):
    """Embedding, pooling over the words, dropout, one hidden layer with ReLU, linear layer: no convolution.

    The channels of the pooling are the dimensions of the embedding, and its positions are the words. So nothing but
    an ordered pooling can tell two orders of the same words apart.

    Shen et al. 2018, "Baseline Needs More Love: On Simple Word-Embedding-Based Models and Associated Pooling
    Mechanisms" (arXiv 1805.09843). SWEM-aver, SWEM-max, SWEM-concat and SWEM-hier are the poolings `avg`, `max`,
    `max_avg` and `hierarchical`.

    Args:
        vocab_size: number of tokens in the vocabulary, of which token 0 is the padding.
        n_classes: number of classes.
        pooling: function from a number of channels to a pooling.
        embedding_dim: dimension of the embedding of a token.
        hidden_dim: size of the hidden layer; None: the linear layer reads the pooled values.
        dropout: fraction of the pooled values, and of the hidden values, that are set to 0 in training.

    Raises:
        ValueError: if an argument is not allowed. The message names it, what is allowed and what was passed.
    """

    def __init__(
        self,
        vocab_size: int,
        n_classes: int,
        pooling: Callable[[int], Pooling],
        embedding_dim: int = 300,
        hidden_dim: int | None = 300,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.embedding = build_embedding(vocab_size, n_classes, embedding_dim)
        (self.pooling,) = build_poolings(pooling, [embedding_dim])
        self.values_per_filter = self.pooling.size
        self.dropout = nn.Dropout(fraction("dropout", dropout))
        n_values = embedding_dim * self.values_per_filter
        if hidden_dim is None:
            self.hidden = nn.Identity()
        else:
            size = integer("hidden_dim", hidden_dim, least=1)
            self.hidden = nn.Sequential(nn.Linear(n_values, size), nn.ReLU(), nn.Dropout(dropout))
            n_values = size
        self.linear = nn.Linear(n_values, n_classes)

    def forward(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, "batch classes"]:
        """Logits of sentences of token numbers, padded with 0 at the end."""
        features = self.embedding(tokens).transpose(1, 2)  # (batch, channels, time)
        values = self.pooling(features, tokens != PADDING_INDEX).flatten(1)  # (batch, channels * size)
        return self.linear(self.hidden(self.dropout(values)))
