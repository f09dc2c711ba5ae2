"""`textpool explain` without a sentence."""

import io
import sys
from pathlib import Path

import pytest

from textpool.commands import explain as command


def test_a_figure_of_no_sentence_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing on standard input, and no sentence in the command."""
    (tmp_path / "best.ckpt").touch()
    monkeypatch.setattr("textpool.build.load", lambda path, allow: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    monkeypatch.setattr(sys, "argv", ["explain", str(tmp_path / "best.ckpt"), "--figure", str(tmp_path / "x.png")])
    with pytest.raises(SystemExit, match="error: figure: expected at least one sentence with words"):
        command.main()
