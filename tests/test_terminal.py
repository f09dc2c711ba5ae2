"""What a user sees while runs are going on: every command of these tests has a terminal of its own."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow  # every test starts processes

SMALL = ("data.n_train=320", "data.n_val=64", "data.n_test=64")
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments, *SMALL]


def on_terminal(*arguments: str, cwd: Path, columns: int = 80, status: int = 0) -> str:
    """All that a command writes to a terminal, in the order of writing, without colours."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR", "CI")}
    environment = {**kept, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        command(*arguments), cwd=cwd, env=environment, stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    parts = []
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # Linux's way to say that nobody will write any more
            break
        if not part:
            break
        parts.append(part)
    os.close(main)
    assert process.wait() == status, b"".join(parts).decode()
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", b"".join(parts).decode()).replace("\r", "\n")


def counts(text: str, jobs: int, before: str = "") -> list[int]:
    """The numbers of finished jobs behind some text, in the order in which they were shown."""
    return [int(done) for done in re.findall(rf"{before}(\d+) of {jobs} runs", text)]


def lines_in_order(text: str, beginnings: Sequence[str]) -> bool:
    """Whether there are lines that begin so, one after the other."""
    places = [text.find("\n" + beginning) for beginning in beginnings]
    return -1 not in places and places == sorted(places)


def test_a_sweep_side_by_side_has_one_bar(tmp_path: Path) -> None:
    """None of Lightning's; the count never runs backwards, and the running runs are named."""
    arguments = ("-m", "pooling=max,avg,kmax", "seed=0,1", *JOBLIB, "study=bar", "trainer.max_epochs=20")
    text = on_terminal(*arguments, cwd=tmp_path)
    assert "v_num" not in text
    assert "it/s" not in text
    assert not re.search(r"━.*epoch", text)  # no bar of a run either
    shown = counts(text, 6, before="━ ")
    assert shown == sorted(shown)
    assert {0, 6} <= set(shown)
    assert counts(text, 6, before=r"seed\d: ") == [1, 2, 3, 4, 5, 6]
    for line, bar in re.findall(r"seed\d: (\d) of 6 runs[^\n]*\n+━+╺?━* (\d) of 6 runs", text):
        assert bar >= line  # the bar does not lag behind what stands above it
    assert re.search(r"^running: \w+-seed\d, \w+-seed\d *$", text, flags=re.MULTILINE)
    assert not list((tmp_path / "logs" / "bar").glob(".sweep*"))


def test_a_job_that_fails_says_so_above_the_bar(tmp_path: Path) -> None:
    """What workers write to standard error reaches the terminal too."""
    arguments = ("-m", "pooling=max,kmax", "k=0", *JOBLIB, "study=bar", "trainer.max_epochs=2")
    text = on_terminal(*arguments, cwd=tmp_path, status=1)
    assert re.search(r"^error: .*expected an integer of at least 1, got 0", text, flags=re.MULTILINE)
    assert text.index("\nerror: ") < text.index("Study bar")


def test_a_log_file_has_one_line_per_finished_job(tmp_path: Path) -> None:
    """In the order of the count, and nothing of a bar."""
    arguments = ("-m", "pooling=max,avg,kmax", "seed=0,1", *JOBLIB, "study=lines", "trainer.max_epochs=2")
    done = subprocess.run(command(*arguments), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert counts(done.stdout, 6) == [1, 2, 3, 4, 5, 6]
    assert "━" not in done.stdout.split("Study lines")[0]
    assert "running:" not in done.stdout


@pytest.mark.parametrize("columns", [80, 100])
def test_a_sweep_one_by_one_has_a_line_of_context(tmp_path: Path, columns: int) -> None:
    """Below the bar of the running job: how many are done, and about how long the others take."""
    arguments = ("-m", "pooling=max,avg", "seed=0,1", "study=one", "trainer.max_epochs=30")
    text = on_terminal(*arguments, cwd=tmp_path, columns=columns)
    assert re.search(r"epoch \d+/30  val/loss \d\.\d{4}  val/acc \d+\.\d\d % +\d:\d\d:\d\d left *\n+0 of 4 runs", text)
    assert re.search(r"left *\n+3 of 4 runs, about \d:\d\d:\d\d left", text)
    assert counts(text, 4) == sorted(counts(text, 4))


def test_a_single_run_says_what_and_where(tmp_path: Path) -> None:
    """At its start what is trained, at its end how well; both times where its files are."""
    text = on_terminal("pooling=kmax", "study=one", "trainer.max_epochs=3", cwd=tmp_path)
    [folder] = [path.parent for path in (tmp_path / "logs" / "one").glob("*/result.json")]
    files = f"logs/one/{folder.name}"
    told = (
        f"{folder.name}: 320 training sentences, ",
        f"pooling kmax, at most 3 epochs; files: {files}",
        f"{folder.name}: epoch ",
        "Study one",
        f"run:     {files}",
        f"model:   {files}/checkpoints/best.ckpt",
    )
    assert lines_in_order(text.replace("\n\n", "\n"), told)
    assert re.search(r": epoch [1-3] is the best: val/acc \d+\.\d\d %, test/acc \d+\.\d\d %", text)
    assert "of 1 runs" not in text


@pytest.mark.parametrize(
    ("setting", "verdict"),
    [("optimizer.lr=0.01", "the model can fit one batch"), ("optimizer.lr=0", "the model did not fit one batch")],
)
def test_overfitting_shows_the_training_loss_and_a_verdict(tmp_path: Path, setting: str, verdict: str) -> None:
    """The question of `debug=overfit`, with a model that learns and with one that cannot."""
    text = on_terminal("debug=overfit", setting, "study=over", cwd=tmp_path)
    assert re.search(r"epoch \d+/100  train/loss \d\.\d{4}  train/acc \d+\.\d\d %", text)
    assert re.search(rf"^train/loss \d\.\d{{4}} after 100 epochs: {verdict}", text, flags=re.MULTILINE)
