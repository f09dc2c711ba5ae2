"""Names in the studies of others: whatever they are, tables and pages show them as text."""

import re
from pathlib import Path

import pytest
from runs_on_disk import write_run

from textpool.study import compare, read
from textpool.study.page import page
from textpool.study.tables import FORMATS, in_markdown, markdown

NAMES = [
    "=1+1",
    "<script>alert(1)</script>",
    "[x](http://a.b)",
    "a|b",
    "`x`",
    r"\input{/etc/passwd}",
    "a\nb",
    "$x_1^2$",
]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    write_run(tmp_path, 0.5, pooling="max")
    for number, name in enumerate(NAMES):
        write_run(tmp_path, 0.5, folder=f"run{number}", pooling=name, result={"run": name})
    write_run(tmp_path, None, folder="bad", pooling="avg", result={"error": "<b>|no|</b>\n# heading"})
    return tmp_path


def test_markdown(study: Path) -> None:
    """One row of the table for each run, without HTML, links or code."""
    comparison = compare(read(study))
    text = markdown(comparison, None, "Study <i>x</i>", ["bad failed: <b>|no|</b>\n# heading [x](http://a.b)"])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(NAMES) + 2
    assert not re.search(r"<[a-z/]", text)
    assert "](http" not in text
    assert not re.search(r"(?<!\\)`", text)
    assert text.count("\n# ") == 0
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {len(re.findall(r"(?<!\\)\|", rows[0]))}


def test_the_usual_text_is_not_changed() -> None:
    """Names and cells as they are in every study."""
    for text in ("kmax-k5-n_filler16", "97.7 [96.1, 98.8] 8/10", "< 0.001", "better, by 2.0"):
        assert in_markdown(text) == text


def test_latex_csv_and_html(study: Path) -> None:
    """Neither commands, nor formulas, nor elements."""
    runs = read(study)
    comparison = compare(runs)
    latex = FORMATS["latex"](comparison, None)
    assert r"\input{" not in latex
    assert not re.search(r"(?<!\\)\$", latex)
    lines = FORMATS["csv"](comparison, None).splitlines()
    assert not [line for line in lines if re.search("(^|,)[=+@]", line)]
    assert any("'=1+1" in line for line in lines)
    html = page(comparison, runs, None, "Study", study, ["bad failed: <b>no</b>"])
    assert "<script>alert" not in html
    assert "<b>no" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
