"""The page of a study: whole in one file, and nothing in a study can put markup into it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from runs_on_disk import write_run

from textpool.study.report import report

pytestmark = pytest.mark.slow

MARKUP = '<img src=x onerror="alert(1)">'


class Read(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(study: Path) -> tuple[Read, str]:
    report([study])
    text = (study / "report.html").read_text(encoding="utf-8")
    return Read(text), text


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two tasks, two strategies, two seeds, and a run that failed with markup in its message."""
    for data in ("order", "twice"):
        for seed in range(2):
            write_run(tmp_path / "mine", 0.8 + 0.01 * seed, data=data, seed=seed)
            write_run(tmp_path / "mine", 0.9, pooling="avg", data=data, seed=seed)
    write_run(tmp_path / "mine", None, pooling="sum", data="order", result={"error": MARKUP})
    return tmp_path / "mine"


def test_a_page_is_whole(study: Path) -> None:
    """It loads nothing from elsewhere, its elements are closed, and its links lead to its own sections."""
    page, text = page_of(study)
    assert page.open == []
    sources = [attrs[name] for _, attrs in page.tags for name in ("src", "href") if name in attrs]
    targets = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert all(
        source and (source.startswith("data:image/svg+xml;base64,") or source[1:] in targets) for source in sources
    )
    assert {"tasks", "rows", "errors", "figures", "curves", "runs"} == targets
    assert not re.search(r"https?://|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    assert len(text) < 2_000_000


def test_a_page_shows_the_study(study: Path) -> None:
    """The rows with their numbers, a curve for each finished run with its name, and every run."""
    page, _ = page_of(study)
    assert "80.50" in page.text
    assert [attrs for tag, attrs in page.tags if tag == "path" and "d" in attrs] != []
    curves = re.findall(r"((?:max|avg)-\w+-seed\d): val/acc 60\.00 %", page.text)
    assert sorted(curves) == sorted(
        f"{pooling}-{data}-seed{seed}" for pooling in ("max", "avg") for data in ("order", "twice") for seed in range(2)
    )
    assert "9 runs" in page.text
    assert [attrs.get("class") for tag, attrs in page.tags if tag == "tr"].count("bad") == 1


def test_markup_of_a_study_is_text(study: Path) -> None:
    """In messages, in names of studies, and in the values of settings."""
    write_run(study, 0.7, pooling="avg", data=MARKUP, folder="odd")
    page, text = page_of(study)
    assert MARKUP not in text
    assert MARKUP in page.text
    assert not [attrs for _, attrs in page.tags if "onerror" in attrs]


def test_a_study_without_a_finished_run_has_a_page(tmp_path: Path) -> None:
    write_run(tmp_path / "mine", None)
    page, _ = page_of(tmp_path / "mine")
    assert "k: expected an integer of at least 1, got 0" in page.text


def test_the_runs_behind_a_cell_of_the_grid(study: Path) -> None:
    """The name of the row and the value of each of its runs stand under the pointer."""
    page, _ = page_of(study)
    titles = {attrs["title"] for tag, attrs in page.tags if tag == "td" and "title" in attrs}
    assert titles >= {"max-order: 80.00 %, 81.00 %", "avg-twice: 90.00 %, 90.00 %"}


def test_of_many_rows_the_first_have_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 panels are no picture; the heading says so, and the table still has every row."""
    for name in ("MOST_PANELS", "MOST_ROWS", "LONG"):
        monkeypatch.setattr(f"textpool.study.page.{name}", 2)
    for pooling in ("max", "avg", "kmax"):
        write_run(tmp_path, pooling=pooling)
    found, _ = page_of(tmp_path)
    assert "one line per run, of the first 2 of 3 rows" in found.text
    panels = [attributes["aria-label"] for tag, attributes in found.tags if tag == "svg"]
    assert panels == ["max", "avg"] * 2  # of the accuracy and of the loss
    assert "kmax" in found.text
    headings = [attributes["id"] for tag, attributes in found.tags if tag == "h2"]
    assert headings == ["figures", "rows", "curves", "runs"]  # the figures are not below thousands of rows
    assert [attributes.get("class") for tag, attributes in found.tags if tag == "div"].count("wide long") == 2
