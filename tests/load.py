"""Loads: far larger studies, texts and models than usual ones, and what the commands need for them.

`python tests/load.py` makes all loads, each in a temporary folder, and prints a table in Markdown: wall time, CPU time
and peak memory of each command. `python tests/load.py runs classes` makes those with these names. All take many minutes
and gigabytes of disk. A command that fails, that asks for more memory than `MOST_MEMORY` or takes longer than
`MOST_SECONDS` says so in its row, and the exit status is then 1.
"""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from study.runs_on_disk import write_run

from textpool.record import READINGS

ROOT = Path(__file__).parent.parent
MOST_MEMORY = 12 * 2**30  # bytes that a process may allocate: a load must not take the memory of other programs
MOST_SECONDS = 900
TRAIN = ["train.py", "study=load", "trainer.max_epochs=1", "trainer.accelerator=cpu", "~logger"]
FILE = [*TRAIN, "data=text_file", "data.train=train.txt"]
WRITTEN = [f"logs/load/*/{name}" for name in ("predictions.csv", "result.json", "checkpoints/best.ckpt")]
POOLINGS = ["max", "avg", "kmax", "sum", "first", "last", "attention", "max_avg", "gated", "softmax"]  # of the studies
LONG = 100_000  # words
N_CLASSES = 10_000
N_WORDS = 1_000_000  # of a vocabulary


class Step(NamedTuple):
    """A command of a load: what it does, the script with its arguments, and patterns of files that it writes."""

    what: str
    command: list[str]
    files: Sequence[str] = ()


class Cost(NamedTuple):
    """Seconds, seconds of CPU time, MiB at the peak, and how the command failed."""

    wall: float
    cpu: float
    memory: float
    error: str


def usual(folder: Path) -> Iterator[Step]:
    """The default data and the default model: mostly imports."""
    yield Step("1,280 generated sentences, one epoch", [*TRAIN, "data=sentiment"])
    yield Step("predict one sentence", ["predict.py", run_of(folder), "a great film"])


def runs(folder: Path) -> Iterator[Step]:
    """A sweep with ten seeds, and a search in which each run has settings of its own."""
    rng = random.Random(0)
    for number in range(2000):
        pooling, rate, seed = POOLINGS[number // 200], 1 + number // 10 % 20, number % 10
        write_large_run(folder / "sweep", rng, pooling, {"optimizer.lr": rate / 1000}, seed)
        settings = {"optimizer.lr": round(rng.random() / 100, 6), "model.dropout": round(rng.random(), 6)}
        write_large_run(folder / "search", rng, POOLINGS[number % 10], settings, 0)
    for study, rows, by in (("sweep", "200 rows of 10 seeds", "optimizer.lr"), ("search", "2,000 rows", "data")):
        files = [f"{study}/{name}" for name in ("figures/accuracy.png", "figures/grid.png", "report.html")]
        yield Step(f"compare 2,000 runs, {rows}", ["compare.py", study], files)
        yield Step("again: the figures are there", ["compare.py", study])
        yield Step(f"with --by {by}", ["compare.py", study, "--by", by])
        yield Step("with --format csv", ["compare.py", study, "--format", "csv"])


def write_large_run(study: Path, rng: random.Random, pooling: str, settings: dict[str, float], seed: int) -> None:
    """A run with all files that a real one has: 40 epochs of curves, 100 predictions and 6 explained sentences."""
    wrong = [index for index in range(100) if rng.random() < 0.2]
    curve = [0.5 + 0.3 * (1 - 0.9**epoch) + rng.gauss(0, 0.01) for epoch in range(40)]
    history = {f"{split}/{name}": curve for split in ("train", "val") for name in ("acc", "loss")}
    shared = {"history": history, "best_epoch": 40, "bayes_accuracy": 1.0, "majority_accuracy": 0.5}
    accuracy = 1 - len(wrong) / 100
    path = write_run(study, accuracy, wrong=wrong, settings=settings, result=shared, pooling=pooling, seed=seed)
    words = ["a", "great", "film", "that", "was", "not", "boring"]
    sentence = {"label": "yes", "predicted": "yes", "probability": 0.9, "words": words}
    sentence |= {"contributions": [rng.gauss(0, 1) for _ in words], "bias": 0.0, "logit": 2.0}
    readings = {"examples": [{"index": index, **sentence} for index in range(6)], "mistakes": []}
    (path / READINGS).write_text(json.dumps(readings))


def sentences(folder: Path) -> Iterator[Step]:
    """Training sentences by the hundred thousand: the difference of two sizes is what a sentence takes."""
    some = "+trainer.limit_train_batches=100"  # of an epoch, which takes the same memory
    for n in (100_000, 1_000_000):
        generated = ["data=sentiment", f"data.n_train={n}", f"study={n}", some]
        yield Step(f"{n:,} generated sentences, 100 batches", [*TRAIN, *generated])
        write_text(folder / f"{n}.txt", n)
        command = [*TRAIN, "data=text_file", f"data.train={n}.txt", f"study=text{n}", some]
        files = [f"{n}.txt", f"logs/text{n}/*/predictions.csv"]
        yield Step(f"a file of {n:,} sentences, 100 batches", command, files)
    yield Step("evaluate 100,000 sentences", ["evaluate.py", run_of(folder, "text1000000"), "100000.txt"])
    yield Step("predict 100,000 sentences", ["predict.py", run_of(folder, "text1000000"), "--file", "100000.txt"])


def run_of(folder: Path, study: str = "load") -> str:
    """The run in a study of one run."""
    [config] = folder.glob(f"logs/{study}/*/config.yaml")
    return str(config.parent)


def write_text(path: Path, n: int) -> None:
    """Sentences of 5 to 30 words of Zipf's distribution, of two classes."""
    rng = random.Random(0)
    with path.open("w") as file:
        for _ in range(n):
            label = rng.choice(["neg", "pos"])
            words = [f"w{int(1 / (rng.random() + 1e-5))}" for _ in range(rng.randint(5, 30))]
            file.write(f"{label} {label}word {' '.join(words)}\n")


def long(folder: Path) -> Iterator[Step]:
    """One very long sentence among short ones."""
    write_text(folder / "short.txt", 2000)
    extra = " ".join(f"w{number % 1000}" for number in range(LONG))
    (folder / "train.txt").write_text((folder / "short.txt").read_text() + f"pos {extra}\n")
    (folder / "text.txt").write_text(f"a short text\n{extra}\nanother short text\n")
    write_text(folder / "few.txt", 200)
    (folder / "test.txt").write_text((folder / "few.txt").read_text() + f"pos {extra}\n")
    given = [*FILE, "data.test=short.txt", "data.val=short.txt"]
    yield Step(f"train with a sentence of {LONG:,} words, random batches", [*given, "study=random"])
    yield Step("with data.bucket=true", [*given, "study=bucket", "data.bucket=true"])
    yield Step("with the sentence in the test split", [*FILE, "data.train=short.txt", "data.test=test.txt"])
    yield Step("evaluate it among short ones", ["evaluate.py", run_of(folder), "test.txt"])
    yield Step("explain it", ["explain.py", run_of(folder), extra[:100_000]])


def classes(folder: Path) -> Iterator[Step]:
    """As many classes as an index has entries."""
    rng = random.Random(0)
    with (folder / "train.txt").open("w") as file:
        for number in range(4 * N_CLASSES):
            label = number % N_CLASSES
            file.write(f"class{label} a{label // 100} b{label % 100} w{rng.randrange(1000)} w{rng.randrange(1000)}\n")
    lines = (folder / "train.txt").read_text().splitlines()[:4000]
    (folder / "labelled.txt").write_text("\n".join(lines))
    (folder / "text.txt").write_text("\n".join(line.split(None, 1)[1] for line in lines))
    yield Step(f"train with {N_CLASSES:,} classes, 40,000 sentences", FILE, WRITTEN)
    yield Step("evaluate 4,000 sentences", ["evaluate.py", run_of(folder), "labelled.txt"])
    yield Step("with --figures", ["evaluate.py", run_of(folder), "labelled.txt", "--figures", "figures"])
    yield Step("predict 4,000 sentences", ["predict.py", run_of(folder), "--file", "text.txt"])
    yield Step("with --json", ["predict.py", run_of(folder), "--file", "text.txt", "--json"], ["stdout"])
    yield Step("explain a sentence", ["explain.py", run_of(folder), "a1 b1"])
    yield Step("a label that there is not", ["explain.py", run_of(folder), "a1 b1", "--label", "none"])
    yield Step("compare the run", ["compare.py", "logs/load"], ["logs/load/report.html"])


def vocabulary(folder: Path) -> Iterator[Step]:
    """As many words in the vocabulary as a large corpus has, each of them twice in the text."""
    words = [f"w{number}" for number in range(N_WORDS)] * 2
    random.Random(0).shuffle(words)
    with (folder / "train.txt").open("w") as file:
        for start in range(0, len(words), 20):
            file.write(f"{('neg', 'pos')[start // 20 % 2]} {' '.join(words[start : start + 20])}\n")
    some = ["+trainer.limit_train_batches=20", "data.min_freq=1"]
    yield Step(f"train with a vocabulary of {N_WORDS:,} words, 20 batches", [*FILE, *some], WRITTEN)
    yield Step("predict one sentence", ["predict.py", run_of(folder), "w1 w2 w3"])
    yield Step("train with data.max_size=50000", [*FILE, *some, "data.max_size=50000", "study=bounded"])


LOADS: list[Callable[[Path], Iterator[Step]]] = [usual, runs, sentences, long, classes, vocabulary]


def measured(folder: Path, step: Step) -> Cost:
    """Run a command in a process of its own; the kernel counts what it needed."""
    script, *arguments = step.command
    start = time.monotonic()
    with (folder / "stdout").open("w") as output, (folder / "stderr").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "scripts" / script), *arguments],
            cwd=folder,
            stdout=output,
            stderr=errors,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "140"},
            preexec_fn=limit_memory,
        )
        timer = threading.Timer(MOST_SECONDS, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)  # of this process alone, unlike RUSAGE_CHILDREN
        timer.cancel()
    wall, code = time.monotonic() - start, os.waitstatus_to_exitcode(status)
    process.returncode = code
    error = ""
    if code == -signal.SIGKILL:
        error = f"killed after {wall:.0f} s"
    elif code:
        told = [line for line in (folder / "stderr").read_text(errors="replace").splitlines() if line.strip()]
        error = f"status {code}: {told[-1][:120] if told else ''}"
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, error)


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))


def size_of(path: Path) -> str:
    n = path.stat().st_size
    return f"{path.name} {n / 1e6:,.1f} MB" if n >= 1e5 else f"{path.name} {n / 1e3:,.1f} kB"


def main() -> None:
    """Make the loads with these names, or all."""
    names = sys.argv[1:] or [load.__name__ for load in LOADS]
    unknown = [name for name in names if name not in [load.__name__ for load in LOADS]]
    if unknown:
        sys.exit(f"error: expected names of {', '.join(load.__name__ for load in LOADS)}, got {unknown[0]}")
    print("| Load | Command | Wall s | CPU s | Peak MiB | Files, or what failed |\n|---|---|---:|---:|---:|---|")
    bad = 0
    for load in LOADS:
        if load.__name__ not in names:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for step in load(folder):
                cost = measured(folder, step)
                bad += bool(cost.error)
                files = ", ".join(size_of(file) for pattern in step.files for file in folder.glob(pattern))
                numbers = f"{cost.wall:.1f} | {cost.cpu:.1f} | {cost.memory:,.0f}"
                print(f"| {load.__name__} | {step.what} | {numbers} | {cost.error or files} |", flush=True)
    sys.exit(min(bad, 1))


if __name__ == "__main__":
    main()
