"""What the filters of a text CNN look for: their n-grams, how pure their maxima are, and their weights.

Jacovi, Shalom and Goldberg 2018, "Understanding Convolutional Neural Networks for Text Classification"
(arXiv 1809.08037): a filter is read by the n-grams with its largest values; above a threshold, its maxima stand for one
class.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from textpool.build import Trained
from textpool.data import DiagnosticTask, Sentence
from textpool.model import TextCNN

PURE = 0.95  # share of one class among the sentences whose maximum is above the threshold
LEAST_PURE = 5  # sentences above a threshold


class NGram(NamedTuple):
    """An n-gram with the value of the filter, and what each word adds to it; the bias of the filter is the rest."""

    words: list[str]
    parts: list[float]
    value: float


class FilterCard(NamedTuple):
    """What one filter looks for.

    Attributes:
        name: such as `3 words, filter 17`.
        ngrams: the different n-grams with the largest values, the largest first.
        maxima: the largest value of the filter in each sentence.
        labels: of the sentences.
        threshold: the smallest value from which on at least `PURE` of the sentences are of one class; None: no such.
        pure_label: that class.
        n_pure: number of sentences whose maximum is at least the threshold.
        weights: class → the weight of the linear layer, summed over the values that the pooling keeps of the filter.
        with_cue: share of the sentences with a cue in which the window of the maximum holds one; None: no such task.
    """

    name: str
    ngrams: list[NGram]
    maxima: list[float]
    labels: list[str]
    threshold: float | None
    pure_label: str | None
    n_pure: int
    weights: dict[str, float]
    with_cue: float | None


class Kept(NamedTuple):
    """The values of one filter along a sentence, and what the pooling keeps of them.

    Attributes:
        name: of the filter.
        windows: the words that each value was computed from.
        values: of the filter at each window.
        shares: how much the pooled values depend on each of them: the sum of the absolute gradients, as a share.
        pooled: the values that the pooling gives.
    """

    name: str
    windows: list[str]
    values: list[float]
    shares: list[float]
    pooled: list[float]


def filter_cards(
    trained: Trained, sentences: Sequence[Sentence], n_filters: int = 5, n_grams: int = 6
) -> list[FilterCard]:
    """The filters that matter most for the classes: those with the largest weights times the spread of their maxima.

    Args:
        trained: from `textpool.build.load`, with a `TextCNN`.
        sentences: labelled, such as those of the training split.
        n_filters: number of filters.
        n_grams: number of n-grams of each.

    Raises:
        ValueError: if the model is no `TextCNN`, or there are no sentences.
    """
    model, data = text_cnn(trained), trained.data
    if not sentences:
        raise ValueError("filters: expected at least one labelled sentence")
    words = [sentence.words[: data.max_length] for sentence in sentences]
    maxima, places = maxima_of(trained, words)
    labels = [sentence.label for sentence in sentences]
    weights = model.linear.weight.detach().view(model.linear.out_features, -1, model.values_per_filter).sum(-1)
    importance = (weights.amax(0) - weights.amin(0)) * maxima.std(0)  # (filters of all sizes,)
    n_of_size = maxima.shape[1] // len(model.kernel_sizes)
    cards = []
    for number in importance.argsort(descending=True, stable=True)[:n_filters].tolist():
        size, own = divmod(number, n_of_size)
        of_filter = maxima[:, number]
        threshold, pure_label, n_pure = purity(of_filter.tolist(), labels)
        cards.append(
            FilterCard(
                f"{model.kernel_sizes[size]} words, filter {own}",
                top_ngrams(trained, words, of_filter, places[:, number], size, own, n_grams),
                of_filter.tolist(),
                labels,
                threshold,
                pure_label,
                n_pure,
                {label: float(weights[row, number]) for row, label in enumerate(data.labels)},
                share_with_cue(trained, words, places[:, number], model.kernel_sizes[size]),
            )
        )
    return cards


def text_cnn(trained: Trained) -> TextCNN:
    """The model of a classifier.

    Raises:
        ValueError: if it has no filters over windows of words.
    """
    model = trained.classifier.model
    if not isinstance(model, TextCNN):
        raise ValueError(
            f"filters: expected a TextCNN, which has filters over windows of words, got {type(model).__name__}"
        )
    return model


def encode(trained: Trained, words: Sequence[Sequence[str]]) -> list[Tensor]:
    """Batches of tokens (batch, time) of tokenised sentences, in their order."""
    sentences = [Sentence(list(each), trained.data.labels[0]) for each in words]
    return [batch.tokens for batch in trained.data.loader(trained.data.encode(sentences), batch_size=256)]


def maxima_of(trained: Trained, words: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
    """The largest value of each filter in each sentence and the window where it stands, (sentences, filters) each.

    The filters of all kernel sizes stand behind each other. A sentence without windows has the value 0.
    """
    model = text_cnn(trained)
    values, places = [], []
    for tokens in encode(trained, words):
        with torch.no_grad(), feature_maps(model) as maps:
            trained.classifier(tokens)
        found = [features.masked_fill(~mask[:, None], -1.0).max(-1) for features, mask in maps]
        values.append(torch.cat([each.values for each in found], 1).clamp(min=0))
        places.append(torch.cat([each.indices for each in found], 1))
    return torch.cat(values), torch.cat(places)


@contextmanager
def feature_maps(model: TextCNN) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Collect what goes into the poolings of a model: features (batch, filters, windows) and mask, per kernel size."""
    found: list[tuple[Tensor, Tensor]] = []
    handles = [
        pooling.register_forward_pre_hook(lambda _, inputs: found.append((inputs[0], inputs[1])))
        for pooling in model.poolings
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def purity(maxima: Sequence[float], labels: Sequence[str]) -> tuple[float | None, str | None, int]:
    """The smallest threshold above which the sentences are of one class, that class, and their number.

    At least `LEAST_PURE` sentences and a share of `PURE`; equal maxima are all above a threshold or none.
    """
    order = sorted(range(len(maxima)), key=lambda index: -maxima[index])
    counts: dict[str, int] = {}
    best: tuple[float | None, str | None, int] = (None, None, 0)
    for n, index in enumerate(order, start=1):
        counts[labels[index]] = counts.get(labels[index], 0) + 1
        last_of_its_value = n == len(order) or maxima[order[n]] < maxima[index]
        label = max(counts, key=counts.__getitem__)
        if last_of_its_value and n >= LEAST_PURE and maxima[index] > 0 and counts[label] >= PURE * n:
            best = (maxima[index], label, n)
    return best


def top_ngrams(
    trained: Trained, words: Sequence[Sequence[str]], maxima: Tensor, places: Tensor, size: int, own: int, n: int
) -> list[NGram]:
    """The different n-grams with the largest values of a filter, with what each word adds to the value."""
    model = text_cnn(trained)
    width = model.kernel_sizes[size]
    convolution = model.convolutions[size]
    assert isinstance(convolution, nn.Conv1d)
    weight = convolution.weight.detach()[own]  # (channels, width)
    found: dict[tuple[str, ...], NGram] = {}
    for index in maxima.argsort(descending=True, stable=True).tolist():
        sentence = list(words[int(index)])
        real = window(model, width, int(places[index]), len(sentence))
        ngram = tuple(sentence[real.start : real.stop])
        if not ngram or ngram in found:
            continue
        [tokens] = encode(trained, [sentence])
        embedded = model.embedding(tokens).detach()[0]  # (time, channels)
        start = int(places[index]) - before(model, width)
        parts = [float(embedded[place] @ weight[:, place - start]) for place in real if place < len(embedded)]
        found[ngram] = NGram(list(ngram), parts, float(maxima[index]))
        if len(found) == n:
            break
    return list(found.values())


def before(model: TextCNN, width: int) -> int:
    """How many places before the first word the first window starts: those that extend beyond it come first."""
    return width - 1 if model.window_mask == "touching" else 0


def window(model: TextCNN, width: int, place: int, n_words: int) -> range:
    """The places of the words that a window holds."""
    start = place - before(model, width)
    return range(max(0, start), min(start + width, n_words))


def share_with_cue(trained: Trained, words: Sequence[Sequence[str]], places: Tensor, width: int) -> float | None:
    """Of the sentences of a diagnostic task that have a cue: in how many does the window of the maximum hold one?"""
    model, data = text_cnn(trained), trained.data
    if not isinstance(data, DiagnosticTask):
        return None
    cues = {data.a, data.b}
    with_cue = [number for number, each in enumerate(words) if cues & set(each)]
    windows = [window(model, width, int(places[number]), len(words[number])) for number in with_cue]
    taken = [
        cues & {words[number][place] for place in of_one} for number, of_one in zip(with_cue, windows, strict=True)
    ]
    return sum(map(bool, taken)) / len(taken) if taken else None


def kept(trained: Trained, sentence: str, number: tuple[int, int] | None = None) -> Kept:
    """What the pooling keeps of one filter in a sentence.

    Args:
        trained: with a `TextCNN`.
        sentence: as text.
        number: kernel size and filter, each counted from 0; None: the filter that contributes most to the logit of the
            predicted class.

    Raises:
        ValueError: if the model is no `TextCNN`, the sentence is empty, or there is no such filter.
    """
    model, words = text_cnn(trained), trained.data.tokenize(sentence)[: trained.data.max_length]
    if not words:
        raise ValueError("filters: expected a sentence with words")
    tokens = trained.data.encode_texts([sentence])[0].tokens
    with torch.no_grad(), feature_maps(model) as maps:
        logits = trained.classifier(tokens)[0]
    if number is None:
        size, own = strongest(model, maps, int(logits.argmax()))
    else:
        size, own = number
        if not (0 <= size < len(maps) and 0 <= own < maps[0][0].shape[1]):
            raise ValueError(
                f"filter: expected a kernel size from 0 to {len(maps) - 1} and a filter from 0 to "
                f"{maps[0][0].shape[1] - 1}, got {size}, {own}"
            )
    features, mask = (each.detach() for each in maps[size])
    features = features.clone().requires_grad_()
    with torch.enable_grad():
        pooled = model.poolings[size](features, mask)[0, own]  # (size,)
        gradients = [torch.autograd.grad(value, features, retain_graph=True)[0][0, own].abs() for value in pooled]
    weight = torch.stack(gradients).sum(0)
    width = model.kernel_sizes[size]
    real = mask[0].nonzero().flatten().tolist()
    return Kept(
        f"{width} words, filter {own}",
        [" ".join(words[each] for each in window(model, width, place, len(words))) for place in real],
        [float(maps[size][0][0, own, place]) for place in real],
        [float(weight[place] / weight.sum().clamp(min=1e-12)) for place in real],
        pooled.detach().tolist(),
    )


def strongest(model: TextCNN, maps: Sequence[tuple[Tensor, Tensor]], label: int) -> tuple[int, int]:
    """Kernel size and filter whose pooled values add most to the logit of a class."""
    with torch.no_grad():
        pooled = [pooling(*each)[0] for pooling, each in zip(model.poolings, maps, strict=True)]  # (filters, size)
    values = torch.stack(pooled)  # (kernel sizes, filters, size)
    added = (values.flatten() * model.linear.weight.detach()[label]).view_as(values).sum(-1)
    size, own = divmod(int(added.flatten().argmax()), added.shape[1])
    return size, own
