"""Sweeps over a file of one's own, with the launchers that train in one process and in several."""

from pathlib import Path

import forked
import pytest
from conftest import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_tells_once_of_duplicates(tmp_path: Path, launcher: str) -> None:
    """One warning for all runs, whatever process each of them runs in, and also where each seed has its own split."""
    lines = [f"{'ab'[n % 2]} word{n % 45}" for n in range(60)]
    (tmp_path / "mine.txt").write_text("\n".join(lines))
    arguments = ("-m", "pooling=max,avg", "seed=0,1", "data=text_file", "data.train=mine.txt", "data.seed=${seed}")
    quick = ("trainer.max_epochs=1", f"hydra/launcher={launcher}", "study=mine")
    for _ in range(2 if launcher == "basic" else 1):
        done = forked.run(ROOT / "scripts" / "train.py", [*arguments, *quick], tmp_path)
        assert done.returncode == 0, done.stderr
        told = "warning: mine.txt: 15 of 60 sentences occur earlier in the file (mine.txt:1 and mine.txt:46; "
        assert done.stdout.count(told) == 1
        assert "15 sentences have different labels in different places ('a' in mine.txt:1 and 'b' in" in done.stdout
        assert not list((tmp_path / "logs" / "mine").glob(".sweep-*"))
        quick = (*quick, "overwrite=true")  # another sweep into the same study tells it again
