"""The pages of the lesson and the notebook. The examples of the pages are doctests of their own."""

import re
from pathlib import Path

import nbformat
import pytest
from conftest import CONF, ROOT
from nbclient import NotebookClient

from textpool.commands.ceilings import cell
from textpool.study.ceilings import read_ceilings

DOCS = ROOT / "docs"
PAGES = [DOCS / "lesson.md", DOCS / "lesson.es.md"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """All outputs of a notebook, in order."""
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_translation_has_the_same_examples() -> None:
    """The Spanish page is the same lesson: same examples, same formulas, same numbers of sections and table rows."""
    english, spanish = (page.read_text(encoding="utf-8") for page in PAGES)
    for same in (r"^```python\n.*?^```", r"^\$\$\n.*?\n\$\$"):
        assert re.findall(same, english, re.S | re.M) == re.findall(same, spanish, re.S | re.M)
    for counted in ("^#", r"^\|", "^```sh", "^- "):
        assert len(re.findall(counted, english, re.M)) == len(re.findall(counted, spanish, re.M)), counted


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Linked files exist, and linked headings too."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
            assert anchor in map(slug, headings), target


def test_the_notebook_has_outputs_of_one_run() -> None:
    """The outputs in the repository are those of a whole run, in order, without paths of a machine."""
    notebook = nbformat.read(DOCS / "pooling.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    texts = [str(notebook.metadata), *(output.get("text", "") for output in outputs(notebook))]
    for output in outputs(notebook):
        texts += [text for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    assert not [text for text in texts if re.search(r"(?<!\w)/(home|root|tmp|work|Users|var)/", text)]


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs without a warning, and shows what it shows in the repository, apart from measured numbers."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    committed = nbformat.read(DOCS / "pooling.ipynb", as_version=4)
    notebook = nbformat.read(DOCS / "pooling.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    found = outputs(notebook)
    assert [output.text for output in found if output.get("name") == "stderr"] == []  # warnings are errors
    assert [output.output_type for output in found] == [output.output_type for output in outputs(committed)]


def test_the_guide_has_the_numbers_of_the_ceilings() -> None:
    """Each cell of its table is what `textpool ceilings` prints of docs/ceilings.csv, and so are the lines it names."""
    page = (DOCS / "when_which.md").read_text(encoding="utf-8")
    heading, _, *lines = re.findall(r"^\| \| `needle`.*(?:\n\|.*)+", page, re.M)[0].splitlines()
    tasks = re.findall(r"`(\w+)`", heading)
    rows = read_ceilings(DOCS / "ceilings.csv").to_dict("records")
    printed = {str(row["strategy"]): {} for row in rows}
    for row in rows:
        printed[str(row["strategy"])][str(row["data"])] = cell({str(name): value for name, value in row.items()})
    shown = {}
    for line in lines:
        name, *cells = (each.strip(" `") for each in line.strip("|").split("|"))
        shown[name] = cells
        assert cells == [printed[name][task] for task in tasks], name
    assert len(shown) > 20
    for like, names in {
        "avg": ["mixed", "sqrt_sum", "soft_count"],
        "stats": ["gated", "linear_softmax", "logmeanexp", "p_norm", "pna", "power_mean", "softmax", "gated_attention"],
    }.items():
        assert all(printed[name] == printed[like] for name in names)
    assert {str(row["pooling"]) for row in rows} == {file.stem for file in (CONF / "pooling").glob("*.yaml")}
