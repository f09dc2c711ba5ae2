"""What a trained classifier reads: the contribution of each word of a sentence to a logit.

Two methods, both of which need nothing but gradients, so that they work for every pooling and every model that has an
`nn.Embedding` with the name `embedding`:

- *Gradient times input* (Shrikumar et al. 2016, arXiv 1605.01713): the gradient of the logit by the embedding of a
  word, times that embedding. Where a model is linear in its embeddings and biases as long as the selection does not
  change, as with a pooling that selects or averages, the contributions of the words and of the biases add up to the
  logit (Euler's theorem on homogeneous functions).
- *Integrated gradients* (Sundararajan et al. 2017, arXiv 1703.01365): the average of these gradients while all
  embeddings grow from 0 to their values, times the embeddings. The contributions add up to the difference from the
  logit of embeddings of 0, which takes the place of the biases, as exactly as the average is, for every model that is
  continuous. `KMax` is not: where another value enters the k largest, the others move to other places. For it the
  first method is exact and this one is not.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from textpool.build import Trained
from textpool.classifier import TextClassifier

STEPS = 64  # of integrated gradients
EXACT = 1e-3  # a gap below this share of what is added up is rounding


class Explanation(NamedTuple):
    """What contributes to the logit of one class of a sentence.

    Attributes:
        words: of the sentence, as the model reads them.
        contributions: of each word to the logit.
        bias: what contributes to the logit without any word.
        logit: of the class.
        label: the class: the predicted one, unless another was asked for.
        probability: of the class.
        method: `gradient` or `integrated`.
    """

    words: list[str]
    contributions: list[float]
    bias: float
    logit: float
    label: str
    probability: float
    method: str

    @property
    def gap(self) -> float:
        """What the contributions and the bias lack to add up to the logit."""
        return self.logit - self.bias - sum(self.contributions)


def explain(
    trained: Trained,
    sentences: Sequence[str],
    label: str | None = None,
    method: str | None = None,
    steps: int = STEPS,
) -> list[Explanation]:
    """Explain the classification of sentences.

    Args:
        trained: from `textpool.build.load`.
        sentences: as text; tokenised as the training sentences were.
        label: the class whose logit is explained; None: the predicted class of each sentence.
        method: `gradient` or `integrated`; None: `gradient` where its contributions add up to the logit, else
            `integrated`.
        steps: number of gradients that `integrated` averages.

    Raises:
        ValueError: if there is no such class or method, or the model has no embedding.
    """
    classifier, data = trained
    if label is not None and label not in data.labels:
        known = ", ".join(data.labels[:10]) + (f" and {len(data.labels) - 10:,} more" if len(data.labels) > 10 else "")
        raise ValueError(f"label: expected one of {known}, got {label!r}")
    if method not in (None, "gradient", "integrated"):
        raise ValueError(f"method: expected gradient or integrated, got {method!r}")
    wanted = None if label is None else data.labels.index(label)
    explained = []
    for sentence in sentences:
        words = data.tokenize(sentence)[: data.max_length]
        found = _explain(classifier, data.encode_texts([sentence])[0].tokens, wanted, method, steps)
        known = (
            words if data.vocabulary.unknown is not None else [word for word in words if word in data.vocabulary.index]
        )
        parts = found["contributions"][: len(known)].tolist()
        number = found.pop("class")
        explained.append(Explanation(**found | {"words": known, "contributions": parts, "label": data.labels[number]}))
    return explained


def _explain(
    classifier: TextClassifier, tokens: Tensor, wanted: int | None, method: str | None, steps: int
) -> dict[str, Any]:
    """The fields of an explanation of one sentence (1, time), with the number of its class."""
    Scaled(classifier)  # to learn now whether it can be explained
    with torch.no_grad():
        logits = classifier(tokens)[0]  # (classes,)
    number = int(logits.argmax()) if wanted is None else wanted
    logit = float(logits[number])
    found = {"logit": logit, "class": number, "probability": float(logits.softmax(-1)[number])}
    if method != "integrated":
        contributions, bias = gradient_times_input(classifier, tokens, number)
        total = float(contributions.abs().sum()) + abs(bias)
        if method == "gradient" or abs(logit - bias - float(contributions.sum())) <= EXACT * max(total, 1.0):
            return found | {"contributions": contributions, "bias": bias, "method": "gradient"}
    contributions, bias = integrated_gradients(classifier, tokens, number, steps)
    return found | {"contributions": contributions, "bias": bias, "method": "integrated"}


def gradient_times_input(classifier: TextClassifier, tokens: Tensor, number: int) -> tuple[Tensor, float]:
    """Contributions of the tokens (time,), and of all biases together, to the logit of a class of a sentence."""
    biases = [weight for name, weight in classifier.named_parameters() if "bias" in name]
    scaled = Scaled(classifier)
    with scaled, torch.enable_grad():
        logit = scaled(tokens, torch.ones(1))[0, number]
        of_biases = torch.autograd.grad(logit, biases, retain_graph=True, allow_unused=True)
        contributions = (scaled.gradient(logit)[0] * scaled.full).sum(-1)  # (time,)
    pairs = zip(biases, of_biases, strict=True)
    return contributions, sum(float((bias.detach() * part).sum()) for bias, part in pairs if part is not None)


def integrated_gradients(
    classifier: TextClassifier, tokens: Tensor, number: int, steps: int = STEPS
) -> tuple[Tensor, float]:
    """Contributions of the tokens (time,), and the logit of a class for embeddings of 0.

    The average is that of the midpoints of `steps` equal parts.
    """
    scaled = Scaled(classifier)
    gradients = []
    with scaled, torch.enable_grad():
        for scales in ((torch.arange(steps) + 0.5) / steps).split(16):
            logits = scaled(tokens, scales)[:, number]  # (scales,)
            gradients.append(scaled.gradient(logits.sum()))  # (scales, time, dimensions)
        bias = float(scaled(tokens, torch.zeros(1))[0, number].detach())
    return (torch.cat(gradients).mean(0) * scaled.full).sum(-1), bias


class Scaled:
    """A classifier whose embeddings are multiplied by factors, one for each row of a batch of copies of a sentence.

    Args:
        classifier: with an `nn.Embedding` as `model.embedding`.

    Attributes:
        full: (time, dimensions), the embeddings of the sentence without factors.

    Raises:
        ValueError: if it has no such embedding.
    """

    def __init__(self, classifier: TextClassifier) -> None:
        embedding = getattr(classifier.model, "embedding", None)
        if not isinstance(embedding, nn.Embedding):
            raise ValueError(
                f"explain: {type(classifier.model).__name__} has no nn.Embedding with the name embedding, from which "
                "the contributions of the words start"
            )
        self.classifier, self.embedding = classifier, embedding
        self.full = self.embedded = self.scales = torch.ones(1)

    def __enter__(self) -> None:
        self._handle = self.embedding.register_forward_hook(self._replace)

    def __exit__(self, *error: object) -> None:
        self._handle.remove()

    def __call__(self, tokens: Tensor, scales: Tensor) -> Tensor:
        """Logits (scales, classes) of one sentence (1, time), its embeddings multiplied by each scale."""
        self.scales = scales
        return self.classifier(tokens.expand(len(scales), -1))

    def gradient(self, value: Tensor) -> Tensor:
        """The gradient of a number by the embeddings that were read last, (scales, time, dimensions)."""
        (gradient,) = torch.autograd.grad(value, self.embedded, allow_unused=True)
        return torch.zeros_like(self.embedded) if gradient is None else gradient

    def _replace(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        self.full = output[0].detach()
        self.embedded = (output.detach() * self.scales[:, None, None]).requires_grad_()
        return self.embedded
