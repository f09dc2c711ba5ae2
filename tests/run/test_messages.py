"""Messages for people who do not know Hydra: each mistake is one line that says what to write instead."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import CONF, ROOT, Compose
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from textpool.build import build_classifier, build_data, build_model, build_trainer
from textpool.data import SentenceData
from textpool.pooling import Pooling
from textpool.run.command_line import check_command
from textpool.run.help import first_sentence, groups_in_words, settings_in_words

OTHERS_HAVE_IT = (
    "data.train: data=sentiment has no such setting, these have it: "
    "data=ag_news,huggingface,rotten_tomatoes,sst2,subj,text_file,trec"
)
pytestmark = pytest.mark.slow  # composes many configurations

OPTIONS = "attention, avg, .*, topk_mean, topk_share$"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("poolng=max", "no setting poolng: did you mean pooling?"),
        ("+poolng=mxa", "no setting poolng: did you mean pooling?"),
        ("++poolng=mxa", "no setting poolng: did you mean pooling?"),
        ("~loger", "no setting loger: did you mean logger?"),
        ("trainer.max_epoch=3", "no setting trainer.max_epoch: did you mean trainer.max_epochs?"),
        ("+trainer.max_epoch=3", "no setting trainer.max_epoch: did you mean trainer.max_epochs?"),
        ("lr=0.1", "no setting lr: did you mean optimizer.lr?"),
        ("epochs=3", "no setting epochs: did you mean trainer.max_epochs?"),
        ("xyz=3", "no setting xyz: --help shows the settings"),
        ("+trainer.precison=16", "no setting trainer.precison: did you mean +trainer.precision?"),
        ("+trainer.xyz=16", "no setting trainer.xyz: trainer has no xyz"),
        ("+data.xyz=16", "no setting data.xyz: data has no xyz"),
        (
            "trainer.precision=16",
            "no setting trainer.precision: if lightning.Trainer has it, write +trainer.precision=16",
        ),
        ("+trainer.max_epochs=3", "trainer.max_epochs exists: write trainer.max_epochs=3, without +"),
        ("+pooling=avg", "pooling has an option already: write pooling=avg, without +"),
        (
            "data.train=x.csv",
            OTHERS_HAVE_IT,
        ),
        (
            "+data.train=x.csv",
            OTHERS_HAVE_IT,
        ),
        ("data=text_file", "data.train: a value is needed: set data.train=…"),
        (
            "-m pooling=max,kmax pooling.k=7",
            "pooling.k: pooling=max has no such setting: write k=7, which every pooling that has a k uses",
        ),
        (
            "-m pooling=kmax,max pooling.k=1,7",
            "pooling.k: pooling=max has no such setting: write k=1,7, which every pooling that has a k uses",
        ),
        ("-m experiment=lesson pooling.k=7", "pooling.k: pooling=max has no such setting: write k=7, which every"),
        ("data.fewest=0", "data.fewest: data=sentiment has no such setting: add data=proportion"),
        (
            "data.test_lengths=[1,2]",
            "data.test_lengths: data=sentiment has no such setting, these have it: data=count,needle,order,position,"
            "proportion,spread,tone,twice",
        ),
        ("data.gap=3", "data.gap: data=sentiment has no such setting, these have it: data=count,needle,order,"),
        ("pooling=max,avg -m seed=1", "-m: put it in front of all settings"),
        ("pooling=max,avg", "pooling=max,avg: several values: add -m for a run with each of them"),
        ("k=1,2", "k=1,2: several values: add -m for a run with each of them; for a list write k=[1,2]"),
        (
            "-m hydra/launcher=rq",
            "hydra/launcher=rq is not installed: pip install hydra-rq-launcher",
        ),
        ("hydra/launcher=basics", "hydra/launcher: no option basics: did you mean basic? Options: basic"),
        ("scheduler=null", "scheduler=null: to choose none, write ~scheduler"),
        ("common=task", "Could not override 'common'. No match in the defaults list."),
        ("hydra.lancher=1", "Could not override 'hydra.lancher'."),
        ("--config-dir nowhere pooling=mine", "--config-dir: no such folder: nowhere"),
        ("pooling", "pooling: expected setting=value"),
        (
            "data.train=a(b.csv",
            "data.train=a(b.csv: expected setting=value; a value with special characters needs quotes",
        ),
    ],
)
def test_a_mistake_on_the_command_line(command: str, message: str) -> None:
    """Found before Hydra starts, so that no folder is left behind."""
    with pytest.raises(ValueError, match="^" + re.escape(message)) as caught:
        check_command(command.split(), CONF)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["pooling=mxa", "-m pooling=max,mxa", "--cfg job pooling=mxa"])
def test_an_option_that_is_not_there(command: str) -> None:
    """The one that was meant, and all options."""
    with pytest.raises(ValueError, match=rf"^pooling: no option mxa: did you mean max\? Options: {OPTIONS}"):
        check_command(command.split(), CONF)
    with pytest.raises(ValueError, match=r"^data: no option nope\. Options: ag_news, count, huggingface, needle"):
        check_command(["data=nope"], CONF)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "pooling=kmax k=5 pooling.k=4",
        "-m pooling=max,avg,kmax k=1,3,5 seed=range(5)",
        "-m pooling=glob(*) model.kernel_sizes=[2,3],[4] model.kernel_sizes.0=5",
        "-m data=order,twice data.n_filler=4",
        "-m experiment=lesson",
        "-m experiment=when_which data.n_filler=1 hydra/launcher=joblib hydra.launcher.n_jobs=2",
        "-m experiment=lesson_seeds pooling=kmax pooling.k=4",
        "-m optimizer.lr=interval(0.001,0.1)",
        "hydra.mode=MULTIRUN pooling=max,avg",
        "+trainer.precision=bf16-mixed +trainer.strategy=ddp_spawn trainer.devices=2",
        "scheduler=plateau +scheduler.threshold=0.1",
        "+logger.tensorboard.flush_secs=3",
        "++trainer.max_epochs=3 ++trainer.fast_dev_run=true",
        "~logger ~trainer.accelerator",
        "+callbacks.mine._target_=lightning.pytorch.callbacks.Timer",
        "callbacks=[early_stopping,until_flat] callbacks.early_stopping.patience=3",
        "callbacks=early_stopping +callbacks.mine={_target_:lightning.pytorch.callbacks.Timer}",
        "+data.words.other=[a,b] data.words.positive.0=good",
        "pooling._target_=mine.Mine +pooling.width=3",
        "+hydra.job.env_set.A=b hydra.verbose=true",
        "data=text_file data.train=x.csv",
        "--cfg job data=text_file",
        "--help poolng=max",
        "--hydra-help",
        "data.train=${oc.env:HOME} data=text_file study=${pooling}",
    ],
)
def test_commands_that_are_right(command: str) -> None:
    """Whatever Hydra takes and something reads."""
    check_command(command.split(), CONF)


def test_settings_and_options_of_a_folder_outside(tmp_path: Path) -> None:
    """A pooling in `--config-dir`, and in `hydra.searchpath`, is known with its settings."""
    (tmp_path / "pooling").mkdir()
    (tmp_path / "pooling" / "mine.yaml").write_text("_target_: nowhere.Mine\n_partial_: true\nwidth: 3\n")
    for where in (["--config-dir", str(tmp_path)], [f"hydra.searchpath=[file://{tmp_path}]"]):
        check_command([*where, "pooling=mine", "pooling.width=4"], CONF)
        with pytest.raises(ValueError, match=r"no setting pooling\.wdth: did you mean pooling\.width\?"):
            check_command([*where, "pooling=mine", "pooling.wdth=4"], CONF)


def test_the_check_is_quick() -> None:
    """It adds one composition to the start of a command, and imports neither torch nor Lightning."""
    code = (
        "import sys, time, pathlib; import textpool.run.launch; from textpool.run.command_line import check_command\n"
        f"start = time.process_time(); check_command(['pooling=kmax', 'k=5', 'seed=3'], pathlib.Path({str(CONF)!r}))\n"
        "print(time.process_time() - start, {'torch', 'lightning'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, modules = done.stdout.split(maxsplit=1)
    assert float(seconds) < 0.5  # about 0.15 s where nothing else runs
    assert modules.strip() == "set()"


def test_help_explains_settings_and_options() -> None:
    """Every setting of train.yaml has its comment, every experiment a sentence; only groups to choose from."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["data=order"], return_hydra_config=True)
    settings, groups = settings_in_words(config).splitlines(), groups_in_words(config).splitlines()
    own = [line for line in settings if not line.startswith(" ") and not line.endswith(":")]
    assert [line.split(":")[0] for line in own][:3] == ["study", "seed", "k"]
    assert all("  # " in line for line in own)
    assert "seed: 42  # of the weights, the dropout and the order of the training sentences" in settings
    assert any(line.startswith("  lengths: [15, 25]  # minimum and maximum") for line in settings)
    assert any(line.startswith("  batch_size: 64") for line in settings)
    assert any(
        line.startswith("  gap: 3  # minimum number of filler words") for line in settings
    )  # of an included file
    assert not any(line.startswith(("common", "hydra")) for line in groups)
    for file in CONF.glob("experiment/*.yaml"):
        [line] = [line for line in groups if line.split()[0] == file.stem]
        assert len(line.split()) > 5


def test_the_first_sentence_of_a_file(tmp_path: Path) -> None:
    """Without the package, the commands, what follows and where to look."""
    file = tmp_path / "x.yaml"
    file.write_text("# @package _global_\n# Does it end\n# here? It does\n#   python scripts/train.py\nk: 3\n")
    assert first_sentence(file) == "Does it end here?"
    file.write_text("# Own sentences; see textpool.data.TextFileData\n_target_: x\n")
    assert first_sentence(file) == "Own sentences"
    file.write_text("_target_: x\n")
    assert first_sentence(file) == ""


class Integers(Pooling):
    """Positions instead of values."""

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return features.argmax(-1, keepdim=True)


class Two(Pooling):
    """Two values, which `size` does not say."""

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return features[..., :2]


class Flat(Pooling):
    """No last axis."""

    def pool(self, features: Tensor, mask: Tensor) -> Tensor:
        return features.amax(-1)


class Plain(nn.Module):
    """A module that is no Pooling."""

    def __init__(self, channels: int) -> None:
        super().__init__()


class Narrow(Pooling):
    """A constructor without channels."""

    def __init__(self) -> None:
        super().__init__(3)


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        (Integers, r"Integers\.pool: expected .* in float32, got int64 \(2, 3, 1\): return .* values\.to\(features\)"),
        (Two, r"Two\.pool: expected .* = \(2, 3, 1\), got \(2, 3, 2\): write self\.size = 2 in its constructor"),
        (Flat, r"Flat\.pool: expected .* = \(2, 3, 1\), got \(2, 3\): keep the last axis, as with keepdim=True"),
    ],
)
def test_a_pooling_that_returns_something_else(pooling: type[Pooling], message: str) -> None:
    """What to change, instead of an error of torch's some layers later."""
    with pytest.raises(ValueError, match=message):
        pooling(3)(torch.rand(2, 3, 5))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Plain",
            r"^pooling: Plain is no Pooling: derive its class from textpool\.pooling\.Pooling, and write the method",
        ),
        ("Narrow", r"^pooling: expected a class with __init__\(self, channels, …\) and pool\(self, features, mask\): "),
    ],
)
def test_a_pooling_of_another_kind(config: Compose, name: str, message: str) -> None:
    """A class of one's own that lacks something; the message says what."""
    settings = config("data.n_train=64", "data.n_val=8", "data.n_test=8", f"pooling._target_={__name__}.{name}")
    with pytest.raises(ValueError, match=message):
        build_model(settings, data_of(settings))


def build(settings: dict[str, object]) -> None:
    build_classifier(settings, data_of(settings))
    build_trainer(settings)


def data_of(settings: dict[str, object]) -> SentenceData:
    data = build_data(settings)
    data.setup()
    return data


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.lr=abc"], r"^optimizer\.lr: expected a number, got 'abc'$"),
        (["optimizer.lr=null"], r"^optimizer\.lr: expected a number, got None$"),
        (["optimizer.lr=-1"], r"^optimizer: Invalid learning rate: -1$"),
        (["scheduler=cosine", "scheduler.T_max=2.5"], r"^scheduler\.T_max: expected an integer, got 2.5$"),
        (["trainer.max_epochs=abc"], r"^trainer\.max_epochs: expected an integer, got 'abc'$"),
        (["trainer.enable_model_summary=abc"], r"^trainer\.enable_model_summary: expected true or false, got 'abc'$"),
        (["+trainer.precision=nope"], r"^trainer: Precision 'nope' is invalid"),
        (["model.dropout=2.0"], r"^model\.dropout: expected a number of at least 0"),
        (["model.window_mask=none"], r"^model\.window_mask: with none"),
        (["data.lengths=[3]"], r"^data\.lengths: expected two integers"),
        (["data.words.positive=[]"], r"^data\.words\.positive: expected"),
        (["pooling=kmax", "k=0"], r"^pooling\.k: expected an integer of at least 1, got 0$"),
        (["pooling=kmax", "+pooling.xyz=0"], r"^pooling: expected a class with .*unexpected keyword argument 'xyz'"),
    ],
)
def test_a_wrong_value_has_the_whole_name_of_its_setting(config: Compose, overrides: list[str], message: str) -> None:
    """And what is expected; words of torch's or of Lightning's have the name of the section in front."""
    settings = config("data.n_train=64", "data.n_val=8", "data.n_test=8", *overrides)
    with pytest.raises(ValueError, match=message):
        build(settings)


def test_right_values_of_other_types(config: Compose) -> None:
    """An annotation may allow text, lists and numbers of both kinds."""
    build_trainer(config("trainer.devices=auto", "trainer.max_epochs=null", "+trainer.limit_train_batches=0.5"))
    settings = config(
        "data.n_train=64", "data.n_val=8", "data.n_test=8", "optimizer.lr=1", "+optimizer.betas=[0.5,0.9]"
    )
    build_classifier(settings, data_of(settings))


def interrupt(cwd: Path, when: str, *arguments: str) -> tuple[int, str]:
    """Press Ctrl-C some time after a line of the output: the exit status, and what was printed."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if when in line:
            break
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes
    rest, _ = process.communicate()
    return process.returncode, "".join(lines) + rest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "arguments", "end"),
    [
        ("importing torch", ["study=mine"], "interrupted: the same command continues it\n"),
        ("importing torch", [], " continues it\n"),
        ("importing torch", ["-m", "pooling=max,avg", "study=mine"], "interrupted: the same command continues it\n"),
        (
            "training sentences",
            ["study=mine", "trainer.max_epochs=9999"],
            "interrupted: the same command continues it\n",
        ),
        ("training sentences", ["-m", "hydra/launcher=joblib", "pooling=max,avg", "trainer.max_epochs=9999"], None),
    ],
)
def test_an_interruption(tmp_path: Path, when: str, arguments: list[str], end: str | None) -> None:
    """One line says how to continue, with the exit status of the shell's convention and without a traceback."""
    status, output = interrupt(tmp_path, when, *arguments)
    assert status == 130
    assert "Traceback" not in output
    assert output.count("interrupted: the same command") == 1
    assert end is None or output.rstrip("\n").endswith(end.rstrip("\n"))


@pytest.mark.slow
def test_the_import_is_announced_once(tmp_path: Path) -> None:
    """Seconds in which nothing else is said; a typo says it neither, nor leaves a folder behind."""
    script = [sys.executable, str(ROOT / "scripts" / "train.py")]
    wrong = subprocess.run([*script, "-m", "poolng=max,avg"], cwd=tmp_path, capture_output=True, text=True)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr == "error: no setting poolng: did you mean pooling?\n"
    assert list(tmp_path.iterdir()) == []
    small = ["data.n_train=64", "data.n_val=8", "data.n_test=8", "debug=one_batch"]
    done = subprocess.run([*script, "-m", "pooling=max,avg", *small], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.count("importing torch and Lightning …") == 1
