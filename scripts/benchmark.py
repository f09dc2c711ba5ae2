"""Measure textpool against plain torch: `python scripts/benchmark.py pooling step --device cuda --json speed.json`.

Each row is a ratio: the time of textpool divided by that of an opponent, measured in turn, so that other load on the
machine affects both. A ratio is the median over the rounds, with quartiles.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import plain_loop
import torch
from hydra.utils import instantiate
from lightning import Callback, LightningModule, Trainer
from plain_loop import POOLINGS, PlainCNN, train_epoch
from torch import Tensor, nn
from torch.utils.benchmark import Timer
from torch.utils.data import DataLoader

from textpool.build import build_classifier, build_data, build_trainer
from textpool.configuration import CONF, composed
from textpool.data import Sentence, SentenceData, Splits
from textpool.inference import QUIET, silence_lightning
from textpool.together.epoch import Member
from textpool.together.epoch import train_epoch as train_together

SCRIPTS = Path(__file__).resolve().parent
SHAPES = [(64, 32, 11), (64, 32, 60), (64, 100, 128), (64, 100, 250), (8, 100, 4096)]  # (batch, channels, time)
Measure = Callable[[], float]  # does the work once and returns its seconds
Idiom = Callable[[Tensor], Tensor]


@dataclass
class Row:
    """One comparison; ratios and seconds are medians.

    On a GPU, poolings also have `memory`, the peak in MiB of both, and `bandwidth`, the part of the speed of a copy at
    which textpool reads the features and writes their gradient.
    """

    section: str
    name: str
    opponent: str
    ratio: float
    quartiles: tuple[float, float]
    seconds: float
    opponent_seconds: float
    rounds: int
    memory: tuple[float, float] | None = None
    bandwidth: float | None = None


def race(section: str, name: str, opponent: str, ours: Measure, theirs: Measure, rounds: int) -> Row:
    """Measure both in turn."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    ratios = [one / other for one, other in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive") if rounds > 1 else ratios * 3
    seconds, opponent_seconds = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Row(section, name, opponent, middle, (low, high), seconds, opponent_seconds, rounds)


def process(*command: str, folder: str) -> float:
    """Seconds of a Python command, from start to end."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return time.perf_counter() - started


def train(*overrides: str, folder: str, device: str) -> float:
    """Seconds of a sweep; `logs/` is in the folder."""
    accelerator = "trainer.accelerator=" + ("gpu" if device.startswith("cuda") else device)
    return process(str(SCRIPTS / "train.py"), "-m", accelerator, *overrides, folder=folder)


def fresh(measure: Callable[..., float]) -> float:
    """Call a measure with an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(folder=folder)


def command_rows(rounds: int, device: str) -> Iterator[Row]:
    """The main command, as whole processes."""
    ours = partial(fresh, partial(train, "pooling=max,avg,kmax", device=device))
    theirs = partial(fresh, partial(process, str(SCRIPTS / "plain_loop.py"), "--device", device))
    yield race("command", "train.py -m pooling=max,avg,kmax", "plain_loop.py", ours, theirs, rounds)


def again_rows(rounds: int, device: str) -> Iterator[Row]:
    """Commands that train nothing, against a fixed number of seconds."""
    with tempfile.TemporaryDirectory() as folder:
        finished = partial(train, "pooling=max,avg,kmax", "study=again", folder=folder, device=device)
        finished()
        yield race("again", "a finished study once more", "2.5 seconds", finished, lambda: 2.5, rounds)
        usage = partial(process, str(SCRIPTS / "train.py"), "--help", folder=folder)
        yield race("again", "train.py --help", "1 second", usage, lambda: 1.0, rounds)


class RandomData(SentenceData):
    """Sentences of random words, of about 40 words each."""

    def __init__(self, n: int = 2500, vocabulary: int = 18_000, **batching: Any) -> None:
        super().__init__(**batching)
        self.n, self.n_words = n, vocabulary

    def load(self) -> Splits:
        """Draw the sentences, so that the training split has every word."""
        generator = torch.Generator().manual_seed(0)
        lengths = torch.randint(20, 61, (self.n,), generator=generator).tolist()
        words = torch.randint(self.n_words, (sum(lengths),), generator=generator)
        words[: self.n_words] = torch.arange(len(words))[: self.n_words]
        rows = [[str(word) for word in row] for row in words.split(lengths)]
        sentences = [Sentence(row, str(index % 2)) for index, row in enumerate(rows)]
        return Splits(sentences, sentences[:2], sentences[:2])


class Clock(Callback):
    """The seconds of each training epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start an epoch."""
        self.seconds.append(-now())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End an epoch."""
        self.seconds[-1] += now()


def now() -> float:
    """The time, once a GPU has done its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def step_rows(rounds: int, device: str, n_lesson: int = 1280, n_kim: int = 500) -> Iterator[Row]:
    """Training steps: epochs of the Lightning Trainer, without validation and files, against epochs of a plain loop."""
    for pooling, (size, overrides, data) in product(POOLINGS, sizes(n_lesson, n_kim)):
        config = composed(f"pooling={pooling}", *overrides)
        ours = partial(lightning_step, config, data, device)
        theirs = partial(plain_step, config, data, device, pooling)
        yield race("step", f"{pooling}, {size}", "plain loop", ours, theirs, rounds)


def sizes(n_lesson: int, n_kim: int) -> list[tuple[str, list[str], SentenceData]]:
    """The lesson's size and Kim's: name, overrides, and the data, ready for training."""
    lesson = [f"data.n_train={n_lesson}"]
    kim = ["model.embedding_dim=300", "model.kernel_sizes=[3,4,5]", "model.n_filters=100", "model.dropout=0.5"]
    data = build_data(composed(*lesson)), RandomData(n_kim, batch_size=50)
    for each in data:
        each.setup()
    return [("lesson", lesson, data[0]), ("Kim 2014", kim, data[1])]


def lightning_step(config: dict[str, Any], data: SentenceData, device: str, epochs: int = 3) -> float:
    """Seconds of a training step in the Trainer."""
    clock = Clock()
    arguments = {"max_epochs": epochs, "limit_val_batches": 0, "callbacks": [clock]}
    arguments["accelerator"] = "gpu" if device.startswith("cuda") else device
    trainer = build_trainer(config, **QUIET, **arguments)
    trainer.fit(build_classifier(config, data), datamodule=data)
    return min(clock.seconds) / len(data.train_dataloader())


def plain_step(config: dict[str, Any], data: SentenceData, device: str, pooling: str, epochs: int = 3) -> float:
    """Seconds of a training step in the plain loop, with a model of the same sizes and all sentences on the device."""
    encoded = data.encoded["train"]
    every = encoded.__getitems__(list(range(len(encoded))))
    split = every.tokens.to(device), every.labels.to(device)
    settings = config["model"]
    kernels, filters = tuple(settings["kernel_sizes"]), settings["n_filters"]
    model = PlainCNN(
        len(data.vocabulary), settings["embedding_dim"], kernels, filters, pooling, settings["dropout"]
    ).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    seconds = []
    for _ in range(epochs):
        started = now()
        train_epoch(model, optimizer, split, data.batch_size)
        seconds.append(now() - started)
    return min(seconds) / -(-len(encoded) // data.batch_size)


def idiom_of(name: str, k: int) -> tuple[str, Idiom]:
    """The shortest code without a mask for a strategy, or for the nearest one that has such code."""
    topk = {
        "kmax": ("topk, sort, gather", partial(plain_loop.k_max, k=k)),
        "kmax_by_value": ("topk", lambda features: features.topk(k, -1).values),
        "topk_mean": ("topk, mean", lambda features: features.topk(k, -1).values.mean(-1, keepdim=True)),
    }
    maxima = "max" in name.split("_") or name == "pyramid"
    plain = ("amax", plain_loop.maximum) if maxima else ("mean", plain_loop.average)
    return topk.get(name, plain)


def pooling_rows(rounds: int, device: str, shapes: list[tuple[int, int, int]] = SHAPES) -> Iterator[Row]:
    """Every strategy with a mask, forward and backward."""
    for file in sorted(CONF.glob("pooling/*.yaml")):
        # the whole configuration is resolved first, because a strategy may refer to ${k}
        config = composed(f"pooling={file.stem}")
        label, idiom = idiom_of(file.stem, config["k"])
        for batch, channels, length in shapes:
            pooling = instantiate(config["pooling"], _convert_="all")(channels).to(device)
            generator = torch.Generator().manual_seed(0)
            features = torch.randn(batch, channels, length, generator=generator).relu().to(device).requires_grad_()
            n_real = torch.randint(1, length + 1, (batch, 1), generator=generator)
            mask = (torch.arange(length) < n_real).to(device)  # (batch, time)
            ours = partial(forward_backward, pooling, features, mask)
            theirs = partial(forward_backward, idiom, features)
            name = f"{file.stem} ({batch}, {channels}, {length})"
            row = race("pooling", name, label, partial(timed, ours), partial(timed, theirs), rounds)
            if features.is_cuda:
                row.memory = peak(ours), peak(theirs)
                row.bandwidth = 2 * features.nbytes / row.seconds / copy_bandwidth(device)
            yield row


def forward_backward(pool: Callable[..., Tensor], *arguments: Tensor) -> None:
    """The values, and the gradients of the features and of the learned weights."""
    values = pool(*arguments)
    weights = pool.parameters() if isinstance(pool, nn.Module) else []
    inputs = [arguments[0], *(weight for weight in weights if weight.requires_grad)]
    torch.autograd.grad(values, inputs, torch.ones_like(values))


def timed(work: Callable[[], Any]) -> float:
    """Seconds of a short piece of work on one CPU thread, or on a GPU."""
    return Timer("work()", globals={"work": work}).blocked_autorange(min_run_time=0.02).median


def peak(work: Callable[[], Any]) -> float:
    """The largest amount of GPU memory in MiB that the work allocates beyond what is there before."""
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


@functools.cache
def copy_bandwidth(device: str) -> float:
    """Bytes per second, read and written, of a copy of 256 MiB."""
    source = torch.zeros(2**26, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / timed(partial(target.copy_, source))


def data_rows(rounds: int, device: str) -> Iterator[Row]:
    """Batches in random order; the ratio is of the seconds for all sentences once."""
    lesson = build_data(composed())
    for name, data in [("lesson", lesson), ("2,500 sentences of 40 words", RandomData(batch_size=50))]:
        data.setup()
        encoded = data.encoded["train"]
        rows = [encoded.tokens[start : start + n] for start, n in zip(encoded.starts, encoded.lengths, strict=True)]
        pairs = list(zip(rows, encoded.labels, strict=True))
        padding = DataLoader(pairs, data.batch_size, shuffle=True, collate_fn=pad_pairs)  # pyright: ignore
        ours, theirs = partial(timed, partial(list, data.train_dataloader())), partial(timed, partial(list, padding))
        yield race("data", name, "pad_sequence in a DataLoader", ours, theirs, rounds)


def pad_pairs(pairs: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The usual collate function."""
    tokens, labels = zip(*pairs, strict=True)
    return nn.utils.rnn.pad_sequence(list(tokens), batch_first=True), torch.stack(labels)


def study_rows(rounds: int, device: str) -> Iterator[Row]:
    """Three strategies with ten seeds, with each launcher."""
    theirs = partial(process, str(SCRIPTS / "plain_loop.py"), "--seeds", "10", "--device", device)
    for launcher in ("basic", "joblib", "together"):
        ours = partial(train, "experiment=lesson_seeds", f"hydra/launcher={launcher}", device=device)
        yield race(
            "study", f"30 runs, {launcher}", "plain_loop.py", partial(fresh, ours), partial(fresh, theirs), rounds
        )


def seeds_rows(rounds: int, device: str, n_train: int = 1280) -> Iterator[Row]:
    """A step of several models at once, divided by their number, against a step of one model; without Lightning."""
    for pooling in POOLINGS:
        for n in (1, 3, 10) if device == "cpu" else (1, 10, 100):
            config = composed(f"pooling={pooling}", f"data.n_train={n_train}")
            ours = partial(epoch_together, [member(config, seed, device) for seed in range(n)])
            theirs = partial(epoch_alone, member(config, 0, device))
            yield race("seeds", f"{pooling}, {n} at once", "alone", ours, theirs, rounds)


def member(config: dict[str, Any], seed: int, device: str) -> Member:
    """A run of this seed as `hydra/launcher=together` trains it, with the little of a Trainer that this takes."""
    torch.manual_seed(seed)
    data = build_data({**config, "seed": seed})
    data.setup()
    classifier = build_classifier(config, data).to(device)
    trainer: Any = SimpleNamespace(
        optimizers=[classifier.make_optimizer(classifier.parameters())],
        current_epoch=0,
        precision_plugin=SimpleNamespace(train_step_context=nullcontext),
    )
    return Member(trainer, classifier, data, generator=torch.Generator(device))


def epoch_together(members: list[Member]) -> float:
    """Seconds of a step of all runs, divided by their number."""
    started = now()
    train_together(members)
    seconds = (now() - started) / members[0].steps / len(members)
    for each in members:
        each.classifier._pop_outcomes("train")
    return seconds


def epoch_alone(run: Member) -> float:
    """Seconds of a step of one run."""
    model, [optimizer], device = run.classifier.model, run.trainer.optimizers, run.classifier.device
    started = now()
    for tokens, labels in run.batches():
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(tokens.to(device)), labels.to(device)).backward()
        optimizer.step()
    return (now() - started) / len(run.data.train_dataloader())


def precision_rows(rounds: int, device: str, n_lesson: int = 1280, n_kim: int = 500) -> Iterator[Row]:
    """Training steps in bfloat16, and with compiled poolings, against the default; without the compilation itself."""
    for pooling, (size, overrides, data) in product(("max", "kmax"), sizes(n_lesson, n_kim)):
        default = composed(f"pooling={pooling}", *overrides)
        for option in ("+trainer.precision=bf16-mixed", "compile=true"):
            other = composed(f"pooling={pooling}", *overrides, option)
            ours, theirs = (partial(lightning_step, config, data, device) for config in (other, default))
            yield race("precision", f"{pooling}, {size}, {option}", "default", ours, theirs, rounds)


SECTIONS = {
    "command": command_rows,
    "again": again_rows,
    "step": step_rows,
    "pooling": pooling_rows,
    "data": data_rows,
    "seeds": seeds_rows,
    "precision": precision_rows,
    "study": study_rows,
}
LONG = ("precision", "study")  # sections of many minutes, which are measured only if they are named


def shown(row: Row) -> str:
    """A row of the table in Markdown."""
    low, high = row.quartiles
    found = f"{row.ratio:.2f} | {low:.2f} to {high:.2f} | {unit(row.seconds)} | {unit(row.opponent_seconds)}"
    memory = "" if row.memory is None else " | {:.1f} | {:.1f} | {:.0%}".format(*row.memory, row.bandwidth)
    return f"| {row.section} | {row.name} | {row.opponent} | {found}{memory} |"


def unit(seconds: float) -> str:
    """Seconds in a unit that suits them."""
    scale, name = (1, "s") if seconds >= 1 else (1e3, "ms") if seconds >= 1e-3 else (1e6, "µs")
    return f"{seconds * scale:.3g} {name}"


def main() -> None:
    """Measure the sections, print a table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description="Measure textpool against plain torch.")
    default = [name for name in SECTIONS if name not in LONG]
    usage = f"of {', '.join(SECTIONS)}; default: all but {' and '.join(LONG)}"
    parser.add_argument("sections", nargs="*", metavar="section", help=usage)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to this file")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"section: expected {', '.join(SECTIONS)}, got {', '.join(unknown)}")
    if arguments.rounds < 1:
        parser.error(f"--rounds: expected an integer of at least 1, got {arguments.rounds}")
    silence_lightning()
    torch.set_num_threads(1)  # as a run of textpool
    rows = []
    more = (
        " | MiB | opponent MiB | bandwidth"
        if arguments.device.startswith("cuda") and arguments.sections == ["pooling"]
        else ""
    )
    header = f"| section | what | against | ratio | quartiles | time | opponent{more} |"
    print(header, "|---" * (header.count("|") - 1) + "|", sep="\n")
    for name in arguments.sections or default:
        started = time.perf_counter()
        for row in SECTIONS[name](arguments.rounds, arguments.device):
            rows.append(asdict(row))
            print(shown(row), flush=True)
            print(f"{name}: {len(rows)} rows, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
