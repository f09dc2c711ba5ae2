"""Words by strategies from the files of a study."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from runs_on_disk import write_run

from textpool.record import READINGS
from textpool.study import words
from textpool.study.comparison import compare
from textpool.study.page import page
from textpool.study.runs import read

pytestmark = pytest.mark.slow


def sentence(index: int, words: str, label: str = "yes", predicted: str = "yes") -> dict[str, Any]:
    """An explained sentence whose first word contributes 2 and the others -0.5."""
    contributions = [2.0] + [-0.5] * words.count(" ")
    answer = {"label": label, "predicted": predicted, "probability": 0.75, "bias": 0.0, "logit": 1.0}
    return {"index": index, "words": words.split(), "contributions": contributions, **answer}


def write(
    study: Path, pooling: str, examples: list[dict[str, Any]], mistakes: list[dict[str, Any]] | None = None
) -> None:
    """A run that explains sentences."""
    folder = write_run(study, 0.5, pooling=pooling)
    (folder / READINGS).write_text(json.dumps({"examples": examples, "mistakes": mistakes or []}))


def pictures(study: Path) -> dict[str, Any]:
    runs = read(study)
    return words.draw(compare(runs), runs)


def test_sentences_that_all_strategies_explain(tmp_path: Path) -> None:
    """A panel for each of them with a row for each strategy; a cross marks a wrong class."""
    write(tmp_path, "max", [sentence(0, "a great film"), sentence(4, "not bad")])
    write(tmp_path, "avg", [sentence(0, "a great film", predicted="no"), sentence(5, "bad")])
    figure = pictures(tmp_path)["words"]
    [panel] = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert panel.get_title(loc="left") == "1. yes"
    assert [label.get_text() for label in panel.get_yticklabels()] == ["max", "avg"]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["a", "great", "film"]
    answers = [label.get_text() for axes in panel.child_axes for label in axes.get_yticklabels()]
    assert answers == ["yes 75%", "no 75% ✗"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"examples": [{"words": 3}], "mistakes": []}'])
def test_a_damaged_file_costs_its_own_run(tmp_path: Path, text: str) -> None:
    """The others are drawn."""
    write(tmp_path, "max", [sentence(0, "a great film")])
    write(tmp_path, "avg", [sentence(0, "a great film")])
    damaged = next(path for path in tmp_path.glob(f"*/{READINGS}") if path.parent.name == "avg")
    damaged.write_text(text)
    [panel] = [axes for axes in pictures(tmp_path)["words"].axes if axes.get_title(loc="left")]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["max"]


def test_no_sentence_in_common_no_picture(tmp_path: Path) -> None:
    """Strategies that read other sentences cannot stand in one picture; runs without a file have none."""
    write_run(tmp_path, 0.5, pooling="sum")
    assert pictures(tmp_path) == {}
    write(tmp_path, "max", [sentence(0, "one")])
    write(tmp_path, "avg", [sentence(1, "two")])
    assert pictures(tmp_path) == {}


def test_the_page_has_a_choice_of_runs(tmp_path: Path) -> None:
    """The sentences of each run are in the page as data, in which no word can end the script."""
    write(tmp_path, "max", [sentence(0, "a great film")], [sentence(7, "</script><b> bad", "no")])
    runs = read(tmp_path)
    text = page(compare(runs), runs, None, "Study", tmp_path)
    data = text.split('id="readings">')[1].split("</script>")[0]
    assert json.loads(data)["max"]["mistakes"][0]["words"] == ["</script><b>", "bad"]
    assert "What two runs read" in text


def test_a_report_that_draws_nothing_does_not_wait_for_matplotlib() -> None:
    """It takes a second to import, and the figures of a study that has not changed are not drawn again."""
    code = "import sys, textpool.study.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
