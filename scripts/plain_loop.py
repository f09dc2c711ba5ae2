"""The lesson's comparison with torch alone, as the opponent of the benchmark: `python scripts/plain_loop.py`.

The same sentences, sizes, epochs, optimizer, dropout and validation as `python scripts/train.py -m
pooling=max,avg,kmax`, as one would write them down for one use: no mask, no metrics but the accuracy, no files.
"""

import argparse
import copy
import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def _words(text: str) -> list[str]:
    return text.split()


POSITIVE = _words("great amazing wonderful excellent fantastic brilliant superb loved enjoyed outstanding perfect best")
NEGATIVE = _words("terrible horrible awful worst dreadful boring bad hated poor disappointing weak disaster")
NEUTRAL = _words("the a movie film was is this that very really quite it and but with not")
Sentence = tuple[list[str], int]
Split = tuple[Tensor, Tensor]  # tokens (sentences, time), class numbers (sentences,)


def draw(rng: random.Random, n: int) -> list[Sentence]:
    """Positive and negative sentences in turn."""
    sentences = []
    for label in [1, 0] * (n // 2):
        length, n_cues = rng.randint(5, 12), rng.randint(1, 3)
        words = rng.choices(NEUTRAL, k=length - n_cues) + rng.choices([NEGATIVE, POSITIVE][label], k=n_cues)
        rng.shuffle(words)
        sentences.append((words, label))
    return sentences


def draw_splits(seed: int = 42) -> list[list[Sentence]]:
    """The sentences of the training, the validation and the test split."""
    rng = random.Random(seed)
    drawn = draw(rng, 1600)
    rng.shuffle(drawn)
    return [drawn[:1280], draw(rng, 320), drawn[1280:]]


def encode(sentences: list[Sentence]) -> Split:
    """Token numbers, padded with 0 to 12 words, and class numbers."""
    number = {word: index for index, word in enumerate(sorted(POSITIVE + NEGATIVE + NEUTRAL), start=1)}
    rows = [torch.tensor([number[word] for word in words]) for words, _ in sentences]
    tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # (sentences, time)
    return F.pad(tokens, (0, 12 - tokens.shape[1])), torch.tensor([label for _, label in sentences])


def maximum(features: Tensor) -> Tensor:
    """Max pooling."""
    return features.amax(-1, keepdim=True)


def average(features: Tensor) -> Tensor:
    """Average pooling, the padding included."""
    return features.mean(-1, keepdim=True)


def k_max(features: Tensor, k: int = 3) -> Tensor:
    """The k largest values in the order of the sentence; which of equal values is not specified."""
    return features.gather(-1, features.topk(k, -1).indices.sort(-1).values)


POOLINGS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "max": (maximum, 1),
    "avg": (average, 1),
    "kmax": (k_max, 3),
}


class PlainCNN(nn.Module):
    """Embedding, convolutions with ReLU, a function that pools, dropout, linear layer."""

    def __init__(
        self, vocab_size: int, dim: int, kernels: tuple[int, ...], filters: int, pooling: str, dropout: float
    ) -> None:
        super().__init__()
        self.pool, size = POOLINGS[pooling]
        self.embedding = nn.Embedding(vocab_size, dim, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(dim, filters, kernel) for kernel in kernels)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(len(kernels) * filters * size, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        embedded = self.embedding(tokens).transpose(1, 2)  # (batch, channels, time)
        values = [self.pool(F.relu(convolution(embedded))).flatten(1) for convolution in self.convolutions]
        return self.linear(self.dropout(torch.cat(values, dim=1)))


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, split: Split, batch_size: int) -> None:
    """One pass over the sentences in random order."""
    model.train()
    tokens, labels = split
    for chosen in torch.randperm(len(labels), device=labels.device).split(batch_size):
        optimizer.zero_grad()
        F.cross_entropy(model(tokens[chosen]), labels[chosen]).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model: nn.Module, split: Split) -> float:
    """Share of the sentences that are classified correctly."""
    model.eval()
    return (model(split[0]).argmax(-1) == split[1]).float().mean().item()


def run(pooling: str, seed: int, splits: list[Split], epochs: int) -> float:
    """Train, keep the weights of the best epoch by the validation split, and return their test accuracy."""
    torch.manual_seed(seed)
    train, val, test = splits
    model = PlainCNN(41, 32, (2, 3, 4), 32, pooling, 0.3).to(train[0].device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    best, weights = -1.0, model.state_dict()
    for _ in range(epochs):
        train_epoch(model, optimizer, train, 64)
        found = accuracy(model, val)
        if found > best:
            best, weights = found, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return accuracy(model, test)


def main() -> None:
    """Print the test accuracy of each pooling and seed."""
    parser = argparse.ArgumentParser(description="Compare max, average and k-max pooling with torch alone.")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as a run of textpool
    splits = [
        (tokens.to(arguments.device), labels.to(arguments.device)) for tokens, labels in map(encode, draw_splits())
    ]
    for pooling in POOLINGS:
        for seed in range(arguments.seeds):
            print(f"{pooling:5} seed {seed}: {run(pooling, seed, splits, arguments.epochs):.4f}")


if __name__ == "__main__":
    main()
