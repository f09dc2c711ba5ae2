"""The commands as a user types them, each in a process of its own."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pytest
import torch
from conftest import ROOT
from forked import Done

OTHERS_HAVE_IT = (
    "data.train: data=sentiment has no such setting, these have it: "
    "data=ag_news,huggingface,rotten_tomatoes,sst2,subj,text_file,trec"
)
pytestmark = pytest.mark.slow  # every test starts processes

SMALL = ("data.n_train=128", "data.n_val=64", "data.n_test=64", "trainer.max_epochs=2")


def script(name: str, *arguments: str, cwd: Path, stdin: str = "", path: Path | None = None) -> Done:
    return forked.run(ROOT / "scripts" / f"{name}.py", arguments, cwd, stdin, PYTHONPATH=str(path or ""))


def train(*arguments: str, cwd: Path, path: Path | None = None) -> Done:
    return script("train", *arguments, *SMALL, cwd=cwd, path=path)


def result(cwd: Path, study: str, run: str) -> dict[str, Any]:
    return json.loads((cwd / "logs" / study / run / "result.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The first command of the README, small, with a job that must fail among the others."""
    cwd = tmp_path_factory.mktemp("sweep")
    return cwd, train("-m", "pooling=max,kmax", "k=0,3", "study=first", cwd=cwd)


def test_a_sweep_survives_a_failing_job(sweep: tuple[Path, Done]) -> None:
    """Good rows, one failed with its reason, no traceback on the terminal, exit status 1; max runs once for both k."""
    cwd, done = sweep
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "kmax-k0 failed: pooling.k: expected an integer of at least 1, got 0" in done.stdout
    statuses = {run: result(cwd, "first", run)["status"] for run in ("max", "kmax-k0", "kmax-k3")}
    assert statuses == {"max": "ok", "kmax-k0": "failed", "kmax-k3": "ok"}
    assert "Traceback" in (cwd / "logs" / "first" / "kmax-k0" / "train.log").read_text()
    table = (cwd / "logs" / "first" / "comparison.md").read_text()
    assert re.search(r"^\| kmax-k0 +\| failed +\|", table, flags=re.MULTILINE)
    assert "tensorboard --logdir logs/first" in done.stdout
    assert done.stdout.count("finished before") == 1


def test_a_run_alone_equals_the_run_in_a_sweep(sweep: tuple[Path, Done]) -> None:
    """To the last digit, and to the last weight."""
    cwd, _ = sweep
    done = train("pooling=kmax", "study=alone", cwd=cwd)
    assert done.returncode == 0, done.stderr
    [folder] = [path.parent for path in (cwd / "logs" / "alone").glob("*/result.json")]
    alone, together = result(cwd, "alone", folder.name), result(cwd, "first", "kmax-k3")
    for name in ("metrics", "best_epoch", "n_params", "config_hash"):
        assert alone[name] == together[name]
    states = [
        torch.load(path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for path in (folder, cwd / "logs" / "first" / "kmax-k3")
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_scripts_around_a_checkpoint(sweep: tuple[Path, Done], tmp_path: Path) -> None:
    """compare.py, evaluate.py and predict.py work on what a sweep left, from anywhere."""
    cwd, _ = sweep
    study = cwd / "logs" / "first"
    compared = script("compare", str(study), cwd=tmp_path)
    assert compared.returncode == 0
    assert "kmax-k3" in compared.stdout
    refused = script("compare", str(study), "--baseline", "nope", cwd=tmp_path)
    assert refused.stderr.startswith("error: baseline: expected one of max, kmax,")
    assert "got 'nope'" in refused.stderr

    best = str(study / "kmax-k3" / "checkpoints" / "best.ckpt")
    measured = json.loads(script("evaluate", best, cwd=tmp_path).stdout)
    expected = result(cwd, "first", "kmax-k3")["metrics"]
    assert isinstance(expected, dict)
    assert measured.pop("per_class") == result(cwd, "first", "kmax-k3")["per_class"]
    assert measured == pytest.approx(
        {"sentences": 64, "skipped": 0} | {k: v for k, v in expected.items() if k.startswith("test/")}
    )

    (tmp_path / "mine.csv").write_text("text,label\na great film,positive\nso very bad,negative\n")
    assert json.loads(script("evaluate", best, "mine.csv", cwd=tmp_path).stdout)["sentences"] == 2
    predicted = script("predict", best, cwd=tmp_path, stdin="a great film\nnever seen words\n\n")
    lines = [line.split("\t") for line in predicted.stdout.splitlines()]
    assert [line[2] for line in lines] == ["a great film", "never seen words", ""]
    assert all(line[0] in ("positive", "negative") and 0.5 <= float(line[1]) <= 1 for line in lines)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("compare", [""], "no run in this folder"),
        ("predict", ["nothing.ckpt"], "nothing.ckpt: no such file"),
        ("evaluate", [str(ROOT / "README.md")], "README.md: not a checkpoint of textpool"),
    ],
)
def test_errors_of_the_other_scripts(tmp_path: Path, name: str, arguments: list[str], message: str) -> None:
    """One line, exit status not 0."""
    done = script(name, *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pooling=kmax", "k=0"], "error: pooling.k: expected an integer of at least 1, got 0"),
        (["pooling=nonsense"], "error: pooling: no option nonsense. Options: attention, avg, "),
        (["model.kernel_sizes=[]"], "error: model.kernel_sizes: expected at least one kernel size"),
        (
            ["data.train=missing.txt"],
            f"error: {OTHERS_HAVE_IT}",
        ),
        (["data=text_file", "data.train=missing.txt"], "error: missing.txt: no such file"),
        (["data=text_file"], "error: data.train: a value is needed"),
        (["resume=missing.ckpt"], "error: missing.ckpt: no such file: expected a checkpoint"),
        (["overwrite=no"], "error: overwrite: expected true or false, got 'no'"),
        (["pooling._target_=nowhere.Mine"], "No module named 'nowhere'"),
    ],
)
def test_errors_of_train(tmp_path: Path, arguments: list[str], message: str) -> None:
    """One understandable error each, no traceback, exit status not 0."""
    done = script("train", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_quick(tmp_path: Path) -> None:
    """It imports neither torch nor Lightning, and shows the commands and the choices."""
    code = (
        "import sys, runpy; sys.argv = ['train.py', '--help']\n"
        "try: runpy.run_path(r'{}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('imported:', *{{'torch', 'lightning'}} & set(sys.modules))"
    ).format(ROOT / "scripts" / "train.py")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "python scripts/train.py -m pooling=max,avg,kmax" in done.stdout
    assert "chunk_max" in done.stdout
    assert done.stdout.rstrip().endswith("imported:")


MINE = '''
import torch
from textpool.pooling import Pooling

class Range(Pooling):
    """Largest minus smallest value."""

    def pool(self, features, mask):
        hidden = ~mask[:, None, :]
        high = features.masked_fill(hidden, -torch.inf).amax(-1, keepdim=True)
        return high - features.masked_fill(hidden, torch.inf).amin(-1, keepdim=True)
'''


def my_range(folder: Path) -> None:
    """A strategy outside of the repository: one class and one YAML file."""
    (folder / "my_poolings.py").write_text(MINE)
    (folder / "my_conf" / "pooling").mkdir(parents=True)
    (folder / "my_conf" / "pooling" / "range.yaml").write_text("_target_: my_poolings.Range\n_partial_: true\n")


def test_a_strategy_from_outside(tmp_path: Path) -> None:
    """One class and one YAML file anywhere: it runs, stands in the table, and is held to the contract."""
    my_range(tmp_path)
    done = train("-m", "--config-dir", "my_conf", "pooling=max,range", "study=mine", cwd=tmp_path, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "| range " in (tmp_path / "logs" / "mine" / "comparison.md").read_text()
    best = "logs/mine/range/checkpoints/best.ckpt"
    refused = script("predict", best, "a film", cwd=tmp_path, path=tmp_path)
    assert "my_poolings.Range is not of textpool, torch, lightning" in refused.stderr
    assert "add --allow my_poolings" in refused.stderr
    allowed = script("predict", best, "a film", "--allow", "my_poolings", cwd=tmp_path, path=tmp_path)
    assert allowed.stdout.rstrip().endswith("a film")
    measured = script("evaluate", best, "--allow", "my_poolings", cwd=tmp_path, path=tmp_path)
    assert json.loads(measured.stdout)["sentences"] == 64
    contract = [sys.executable, "-m", "pytest", "tests/test_pooling_contract.py", "-p", "no:cacheprovider"]
    checked = subprocess.run(
        [*contract, "--config-dir", str(tmp_path / "my_conf"), "-k", "range and not compiles"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert checked.returncode == 0, checked.stdout
    assert "passed" in checked.stdout


def test_a_strategy_from_outside_on_every_task(tmp_path: Path) -> None:
    """It enters the study of strategies by tasks, its table and its picture."""
    my_range(tmp_path)
    small = ("data.n_train=64", "data.n_val=8", "data.n_test=8", "trainer.max_epochs=1", "study=tasks")
    arguments = ("-m", "--config-dir", "my_conf", "experiment=when_which_quick", "pooling=max,range", *small)
    done = script("train", *arguments, cwd=tmp_path, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "16 of 16 runs" in done.stdout
    table = (tmp_path / "logs" / "tasks" / "comparison.md").read_text()
    tasks = ["needle", "twice", "order", "position", "tone", "spread", "count", "proportion"]
    assert re.search(r"^\| +\| +" + r" \| +".join(tasks) + r" \| +all tasks \|$", table, flags=re.MULTILINE)
    assert re.search(r"^\| range +(\| +[0-9.]+ \[[0-9.]+, [0-9.]+\] +){8}\| +[0-9.]+ +\|$", table, flags=re.MULTILINE)
    assert re.search(r"^\| best reachable +(\| +100\.0 ){4}\| +86\.1 \|", table, flags=re.MULTILINE)
    picture = (tmp_path / "logs" / "tasks" / "figures" / "grid.svg").read_text()
    assert "<!-- range -->" in picture


def test_every_strategy_in_one_sweep(tmp_path: Path) -> None:
    """`pooling=glob(*)` runs whatever has a file in conf/pooling."""
    done = train("-m", "pooling=glob(*)", "study=all", "debug=one_batch", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    runs = {path.parent.name for path in (tmp_path / "logs" / "all").glob("*/result.json")}
    assert runs == {file.stem for file in (ROOT / "conf" / "pooling").glob("*.yaml")}


def test_own_text(tmp_path: Path) -> None:
    """A file with nothing but labels and sentences is enough; a second try of the same study changes nothing."""
    lines = [f"{'good' if i % 2 else 'bad'} {'a fine thing' if i % 2 else 'a sorry thing'} {i}" for i in range(60)]
    (tmp_path / "mine.txt").write_text("\n".join(lines))
    arguments = ("data=text_file", "data.train=mine.txt", "trainer.max_epochs=2", "study=own")
    done = script("train", "-m", "pooling=max,avg", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = script("train", "-m", "pooling=max,avg", *arguments, cwd=tmp_path)
    assert again.stdout.count("finished before") == 2


def test_resume(tmp_path: Path) -> None:
    """A longer run starts from the checkpoint of a shorter one and becomes a run of its own beside it."""
    train("pooling=kmax", "k=2", "study=mine", cwd=tmp_path)
    [short] = [path.parent for path in (tmp_path / "logs" / "mine").glob("*/result.json")]
    before = (short / "result.json").read_bytes()
    checkpoint = f"resume={short}/checkpoints/last.ckpt"
    done = script(
        "train", "pooling=kmax", "k=2", "study=mine", *SMALL[:3], "trainer.max_epochs=3", checkpoint, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "continues from" in done.stdout
    name = short.name.replace("max_epochs2", "max_epochs3")
    assert len(result(tmp_path, "mine", name)["history"]["val/acc"]) == 3
    assert (short / "result.json").read_bytes() == before
    refused = train("pooling=kmax", "k=3", checkpoint, cwd=tmp_path)
    assert refused.returncode == 1
    assert "resume: expected the settings of" in refused.stderr
    assert "pooling.k: 2, now 3" in refused.stderr


def test_seeds_of_training_and_data(tmp_path: Path) -> None:
    """Data drawn anew with each seed make one row; a sweep over the seed of the data makes rows of their own."""
    done = train("-m", "seed=range(3)", "data.seed=${seed}", "study=anew", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "logs" / "anew" / "comparison.csv").open() as file:
        [row] = csv.DictReader(file)
    assert (row["row"], row["seeds"], row["over"]) == ("max", "3", "seeds and sentences")
    sentences = {(tmp_path / f"logs/anew/max-seed{seed}/predictions.csv").read_text()[:500] for seed in range(3)}
    assert len(sentences) == 3
    one = train("-m", "data.seed=1,2", "study=both", cwd=tmp_path)
    two = train("-m", "seed=1,2", "study=both", cwd=tmp_path)
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    names = {path.parent.name for path in (tmp_path / "logs" / "both").glob("*/result.json")}
    assert names == {"max-data.seed1", "max-data.seed2", "max-seed1", "max-seed2"}
    with (tmp_path / "logs" / "both" / "comparison.csv").open() as file:
        rows = {row["row"]: row["seeds"] for row in csv.DictReader(file)}
    assert rows == {"max-data.seed1": "1", "max-data.seed2": "1", "max-data.seed42": "2"}


def test_a_setting_that_only_some_of_the_data_have(tmp_path: Path) -> None:
    """One value of `n_filler` for several tasks needs no `++`, although the default data are another set."""
    done = train("-m", "data=order,twice", "data.n_filler=4", "study=filler", "debug=one_batch", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.parent.name for path in (tmp_path / "logs/filler").glob("*/result.json")} == {"max-order", "max-twice"}
    assert result(tmp_path, "filler", "max-order")["factors"]["data.n_filler"] == 4


def test_the_joblib_launcher(tmp_path: Path) -> None:
    """Runs at once in processes of their own, under their names; a failing one costs its own row."""
    done = train("-m", "hydra/launcher=joblib", "pooling=max,kmax", "k=0,3", "study=parallel", cwd=tmp_path)
    assert done.returncode == 1
    assert result(tmp_path, "parallel", "kmax-k3")["status"] == "ok"
    assert result(tmp_path, "parallel", "kmax-k0")["status"] == "failed"
    assert "kmax-k0 failed: pooling.k: expected an integer" in done.stdout


def test_the_first_command_of_the_readme(tmp_path: Path) -> None:
    """`make compare`: three strategies of the lesson's sizes, none below 99 %."""
    done = script("train", "-m", "pooling=max,avg,kmax", "study=compare", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    results = {name: result(tmp_path, "compare", name) for name in ("max", "avg", "kmax")}
    assert [results[name]["n_params"] for name in results] == [10_818, 10_818, 11_202]
    assert all(results[name]["metrics"]["test/acc"] >= 0.99 for name in results)  # pyright: ignore
    assert "curves:  tensorboard --logdir logs/compare" in done.stdout


def test_the_lesson(tmp_path: Path) -> None:
    """`experiment=lesson` sweeps by its name alone, and comes to 99.7 %, within a sentence of 320."""
    done = script("train", "-m", "experiment=lesson", "study=lesson", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sizes = {"max": 10_818, "avg": 10_818, "kmax_by_value": 11_202}
    for name, size in sizes.items():
        found = result(tmp_path, "lesson", name)
        assert found["n_params"] == size
        assert round(320 * found["metrics"]["test/acc"]) in (318, 319, 320)  # pyright: ignore


SLOW = """
import os, torch
from textpool.pooling import Max

class Raising(Max):
    \"\"\"Max, until the tenth batch.\"\"\"

    seen = 0

    def pool(self, features, mask):
        Raising.seen += 1
        if Raising.seen > 10:
            raise RuntimeError("in the middle of training")
        return super().pool(features, mask)

class Dying(Max):
    \"\"\"Max, until somebody says that the process has to die.\"\"\"

    def pool(self, features, mask):
        saved = os.path.exists("logs/killed/dying-seed0/checkpoints/last.ckpt")
        if os.environ.get("DIE") and saved and torch.is_grad_enabled():
            os.kill(os.getpid(), 9)
        return super().pool(features, mask)
"""


def outside(folder: Path) -> None:
    """Two strategies outside of the repository: one that raises, one that kills its process."""
    (folder / "my_poolings.py").write_text(SLOW)
    (folder / "my_conf" / "pooling").mkdir(parents=True)
    for name in ("Raising", "Dying"):
        text = f"_target_: my_poolings.{name}\n_partial_: true\n"
        (folder / "my_conf" / "pooling" / f"{name.lower()}.yaml").write_text(text)


@pytest.mark.parametrize("launcher", ["basic", "joblib", "together"])
def test_a_strategy_that_raises_in_the_middle(tmp_path: Path, launcher: str) -> None:
    """Five good rows, one failed, exit status 1, whatever starts the jobs."""
    outside(tmp_path)
    poolings = "pooling=max,avg,raising,kmax,chunk_max,max_avg"
    arguments = ("-m", "--config-dir", "my_conf", poolings, "study=six", f"hydra/launcher={launcher}")
    done = train(*arguments, cwd=tmp_path, path=tmp_path)
    assert done.returncode == 1
    runs = {path.parent.name for path in (tmp_path / "logs" / "six").glob("*/result.json")}
    statuses = {run: result(tmp_path, "six", run)["status"] for run in runs}
    good = dict.fromkeys(("max", "avg", "kmax", "chunk_max", "max_avg"), "ok")
    assert statuses == {**good, "raising": "failed"}
    assert "raising failed: RuntimeError: in the middle of training" in done.stdout


def test_seeds_together(tmp_path: Path) -> None:
    """The ordinary files and the ordinary table; the same command finds all runs finished."""
    arguments = ("-m", "hydra/launcher=together", "hydra.launcher.n_jobs=1", "pooling=max,kmax", "seed=0,1,2")
    done = train(*arguments, "study=together", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = [f"{pooling}-seed{seed}" for pooling in ("max", "kmax") for seed in (0, 1, 2)]
    assert [result(tmp_path, "together", name)["trained_together"] for name in names] == [3] * 6
    folder = tmp_path / "logs" / "together" / "max-seed1"
    assert (folder / "predictions.csv").exists()
    assert list(folder.glob("events.out.tfevents.*"))
    log = (folder / "train.log").read_text(encoding="utf-8")
    assert "max-seed1" in log
    assert "max-seed0" not in log
    assert "comparison.md" in done.stdout
    again = train(*arguments, "study=together", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished before") == 6


def test_a_killed_sweep_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill -9 in the third of six jobs: the same command finishes it, and gives the table of an undisturbed one."""
    outside(tmp_path)
    arguments = ("-m", "--config-dir", "my_conf", "pooling=max,dying,avg", "seed=0,1")
    monkeypatch.setenv("DIE", "1")
    killed = train(*arguments, "study=killed", cwd=tmp_path, path=tmp_path)
    assert killed.returncode == -9
    compared = script("compare", "logs/killed", cwd=tmp_path)
    assert "unfinished" in compared.stdout
    monkeypatch.delenv("DIE")
    again = train(*arguments, "study=killed", cwd=tmp_path, path=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("finished before") == 2
    assert "dying-seed0: continues from" in again.stdout
    train(*arguments, "study=whole", cwd=tmp_path, path=tmp_path)
    tables = []
    for study in ("killed", "whole"):
        with (tmp_path / "logs" / study / "runs.csv").open() as file:
            aside = ("seconds", "started", "study")
            rows = [{k: v for k, v in row.items() if k not in aside} for row in csv.DictReader(file)]
        tables.append(sorted(rows, key=lambda row: row["run"]))
    assert tables[0] == tables[1]
    assert len(tables[0]) == 6


def test_a_run_with_other_settings_is_refused(tmp_path: Path) -> None:
    """Exit status 1 and the difference; every file of the run that is there stays, its log aside."""
    train("-m", "pooling=max", "study=mine", cwd=tmp_path)
    folder = tmp_path / "logs" / "mine" / "max"
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "train.log"}
    done = train("-m", "pooling=max,avg", "optimizer.lr=0.01", "study=mine", cwd=tmp_path)
    assert done.returncode == 1
    assert "max was not run: " in done.stderr
    assert "optimizer.lr: 0.003, now 0.01" in done.stderr
    failing = train("-m", "pooling=max", "+trainer.precision=nope", "overwrite=true", "study=mine", cwd=tmp_path)
    assert failing.returncode == 1
    assert {file: file.read_bytes() for file in before} == before
    again = train("-m", "pooling=max", "study=mine", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "finished before" in again.stdout


def test_several_devices_are_refused(tmp_path: Path) -> None:
    """Lightning's ddp would start the whole sweep again on each."""
    done = train("-m", "pooling=max,avg", "trainer.devices=2", cwd=tmp_path)
    assert done.returncode == 1
    assert "trainer.devices: expected 1, or trainer=ddp_cpu or trainer=ddp_gpu, got 2" in done.stderr


@pytest.mark.parametrize("name", ["joblib", "together"])
def test_a_killed_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Out of memory in one of the jobs side by side: what is finished is shown, what is not is said."""
    outside(tmp_path)
    monkeypatch.setenv("DIE", "1")
    launcher = (f"hydra/launcher={name}", "hydra.launcher.n_jobs=2")
    arguments = ("-m", "--config-dir", "my_conf", *launcher, "pooling=dying", "seed=0,1", "study=killed")
    done = train(*arguments, cwd=tmp_path, path=tmp_path)
    assert done.returncode == 1
    assert "interrupted: the same command continues it" in done.stderr
    assert "unfinished" in done.stdout
