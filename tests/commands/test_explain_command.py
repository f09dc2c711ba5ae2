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


def test_a_sentence_longer_than_a_path_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read as a sentence, not looked up: a file system refuses names of more than 255 bytes with an error."""
    (tmp_path / "best.ckpt").touch()
    read = []
    monkeypatch.setattr("textpool.build.load", lambda path, allow: None)
    monkeypatch.setattr("textpool.explain.explain", lambda trained, sentences, *given: read.extend(sentences) or [None])
    monkeypatch.setattr(command, "line_of", lambda found, name: "explained")
    monkeypatch.setattr(sys, "argv", ["explain", str(tmp_path / "best.ckpt"), "word " * 100_000])
    command.main()
    assert read == ["word " * 100_000]
