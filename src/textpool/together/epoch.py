"""One epoch of several runs at once: their weights stacked, and one forward and backward pass per step for all."""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning import Trainer
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.data import DataLoader

from textpool.classifier import TextClassifier
from textpool.data import SentenceData
from textpool.data.batches import Batch

# On a CPU a large model is trained no faster with others than alone: its own operations occupy the core. Products of
# a weight and a value in one step of one model; at this number both ways took the same time (docs/speed.md).
LARGEST_ON_CPU = 20_000_000


@dataclass
class Member:
    """A run that is trained together with others.

    Attributes:
        trainer: of the run.
        classifier: of the run; its weights are updated in place.
        data: of the run.
        obstacle: the reason why it cannot be trained together with others; None if it can.
        company: number of runs that are trained together, this one included.
        threads: number of CPU threads that it may use.
        generator: of the dropout in the next epoch.
        steps: number of steps of the last epoch.
        error: what went wrong in the last epoch.
        loader: of the training batches, made when they are needed first.
    """

    trainer: Trainer
    classifier: TextClassifier
    data: SentenceData
    obstacle: str | None = None
    company: int = 1
    threads: int = 1
    generator: torch.Generator = field(default_factory=torch.Generator)
    steps: int = 0
    error: Exception | None = None
    loader: DataLoader[Batch] | None = None

    def batches(self) -> Iterator[Batch]:
        """The batches of the next epoch, in the order that they have in a training of this run alone."""
        if self.loader is None:
            self.loader = self.data.train_dataloader()
        set_epoch = getattr(self.loader.sampler, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(self.trainer.current_epoch)
        return iter(self.loader)


def train_epoch(members: Sequence[Member]) -> None:
    """Train the next epoch of each run; its training outputs are kept by its classifier."""
    classifiers = [member.classifier for member in members]
    optimizers = [member.trainer.optimizers[0] for member in members]
    device = classifiers[0].device
    torch.set_num_threads(members[0].threads)
    for member in members:
        member.steps = 0
    tables = [dict(classifier.named_parameters()) for classifier in classifiers]
    parameters = {name: [table[name] for table in tables] for name in tables[0]}
    dropout = AsAlone([member.generator for member in members])
    with stacked(classifiers) as (weights, buffers):
        for batches in zip(*(member.batches() for member in members), strict=True):
            tokens, targets = stack_batches(batches)
            tokens, targets = tokens.to(device), targets.to(device)
            with members[0].trainer.precision_plugin.train_step_context(), dropout:
                losses, logits = losses_of(classifiers[0], weights, buffers, tokens, targets)
            losses.sum().backward()  # the loss of a run depends on its own weights only
            for name, weight in weights.items():
                parts = [None] * len(members) if weight.grad is None else weight.grad.unbind()
                for parameter, part in zip(parameters[name], parts, strict=True):
                    parameter.grad = part
                weight.grad = None
            for optimizer in optimizers:
                optimizer.step()
            for member, *kept in zip(members, logits.detach(), targets, strict=True):
                member.classifier.keep("train", *kept)
                member.steps += 1
    for classifier in classifiers:
        classifier.zero_grad()


def losses_of(
    classifier: TextClassifier,
    weights: dict[str, Tensor],
    buffers: dict[str, Tensor],
    tokens: Tensor,
    targets: Tensor,
) -> tuple[Tensor, Tensor]:
    """The loss of each run, (runs,), and its logits, (runs, batch, classes).

    Args:
        classifier: of one of the runs; its own weights are not used.
        weights: name → the weights of all runs, (runs, …).
        buffers: name → the buffers of all runs, (runs, …).
        tokens: (runs, batch, time).
        targets: (runs, batch).
    """

    def loss_of(weights: Any, buffers: Any, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = functional_call(classifier, (weights, buffers), (tokens,))
        return F.cross_entropy(logits, targets), logits

    return vmap(loss_of, randomness="different")(weights, buffers, tokens, targets)


@contextmanager
def stacked(classifiers: Sequence[nn.Module]) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """The parameters and the buffers of several models, by their names, each as one tensor (models, …).

    Inside of the context, those of the models are views of it, so that an optimiser of one model updates its part.
    """
    names = [name for name, _ in classifiers[0].named_parameters()]
    tables = [dict([*each.named_parameters(), *each.named_buffers()]) for each in classifiers]
    stacks = {name: torch.stack([table[name].detach() for table in tables]) for name in tables[0]}
    for index, table in enumerate(tables):
        for name, tensor in table.items():
            tensor.data = stacks[name][index]
    needs_gradient = {name: tables[0][name].requires_grad for name in names}
    weights = {name: stacks[name].detach().requires_grad_(needs_gradient[name]) for name in names}
    try:
        yield weights, {name: stack for name, stack in stacks.items() if name not in weights}
    finally:
        for table in tables:
            for tensor in table.values():
                tensor.data = tensor.data.clone()  # a view would be saved with the weights of all models


def stack_batches(batches: Sequence[Batch]) -> Batch:
    """Batches of several runs as one: tokens (runs, batch, time), padded to the longest, and labels (runs, batch)."""
    time = max(batch.tokens.shape[-1] for batch in batches)
    tokens = [F.pad(batch.tokens, (0, time - batch.tokens.shape[-1])) for batch in batches]
    return Batch(torch.stack(tokens), torch.stack([batch.labels for batch in batches]))


class AsAlone(TorchFunctionMode):
    """Under `vmap` over runs, two functions of torch as they are in a run that is trained alone.

    Dropout draws from a generator of each run's own. An embedding gives no gradient to the padding: `vmap` forgets
    `padding_idx`.
    """

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.generators = generators

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.dropout:
            call = inspect.signature(F.dropout).bind(*args, **kwargs)
            call.apply_defaults()
            values, p, training = (call.arguments[name] for name in ("input", "p", "training"))
            return SeededDropout.apply(values, p, self.generators) if training and p > 0 else values
        if func is F.embedding:
            call = inspect.signature(F.embedding).bind(*args, **kwargs)
            padding = call.arguments.get("padding_idx")
            embedded = func(*args, **kwargs)
            if padding is None:
                return embedded
            return torch.where((call.arguments["input"] == padding)[..., None], embedded.detach(), embedded)
        return func(*args, **kwargs)


class SeededDropout(torch.autograd.Function):
    """Dropout that is defined under `vmap` only, where it has one generator per mapped element."""

    @staticmethod
    def forward(values: Tensor, p: float, generators: Sequence[torch.Generator]) -> Tensor:
        raise NotImplementedError("defined under vmap only")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        """Dropout of (runs, …), as `torch.nn.functional.dropout` computes it on a CPU for each run."""
        values, p, generators = args
        values = values.movedim(in_dims[0], 0)
        kept = torch.empty(values.shape, dtype=values.dtype, device=values.device)
        for part, generator in zip(kept, generators, strict=True):
            part.bernoulli_(1 - p, generator=generator)
        return values * kept.div_(1 - p), 0


def why_alone(members: Sequence[Member]) -> str | None:
    """The reason why these runs cannot be trained together, found by a step that changes nothing; None if they can."""
    if len({weight_shapes(member.classifier) for member in members}) > 1:
        return "their models have weights of different shapes"
    if len({len(member.data.splits.train) for member in members}) > 1:
        return "they have different numbers of training sentences"
    classifiers = [member.classifier for member in members]
    tokens, targets = stack_batches([next(member.batches()) for member in members])
    on_cpu = members[0].trainer.strategy.root_device.type == "cpu"
    if on_cpu and products(classifiers[0], tokens[0]) > LARGEST_ON_CPU:
        return "on a CPU, a model of this size trains no faster with others"
    try:
        logits, alone = trial(classifiers, tokens, targets)
    except Exception as error:  # whatever torch raises where an operation has no rule for vmap
        return f"vmap over their models fails: {type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
    finally:
        for classifier in classifiers:
            classifier.train()
    if not torch.allclose(logits, alone, rtol=1e-3, atol=1e-4, equal_nan=True):
        return "vmap over their models gives other values than each model alone"
    return None


def trial(classifiers: Sequence[TextClassifier], tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """A training step that changes nothing, then logits (runs, batch, classes): of all models at once, and of each."""
    with stacked(classifiers) as (weights, buffers):
        with AsAlone([torch.Generator() for _ in classifiers]):
            copies = {name: buffer.clone() for name, buffer in buffers.items()}
            losses, _ = losses_of(classifiers[0], weights, copies, tokens, targets)
        losses.sum().backward()
        for classifier in classifiers:
            classifier.eval()
        with torch.no_grad():
            _, logits = losses_of(classifiers[0], weights, buffers, tokens, targets)
            alone = [classifier(part) for classifier, part in zip(classifiers, tokens, strict=True)]
    return logits, torch.stack(alone)


def weight_shapes(classifier: nn.Module) -> tuple[tuple[str, torch.Size], ...]:
    """Names and shapes of the weights of a model."""
    return tuple((name, value.shape) for name, value in classifier.state_dict().items())


def products(classifier: nn.Module, tokens: Tensor) -> int:
    """About the number of products of a weight and a value for tokens (batch, time): those of its convolutions."""
    weights = sum(module.weight.numel() for module in classifier.modules() if isinstance(module, nn.Conv1d))
    return weights * tokens.numel()
