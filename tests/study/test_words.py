"""The picture of words by strategies."""

import pytest

from textpool.study.words import WIDEST, Reading, draw_words


def test_rows_columns_and_answers() -> None:
    """A panel for each sentence with its words above, the classifiers on the left and their answers on the right."""
    sentences = [
        {"max": Reading(["a", "great", "film"], [0.0, 2.0, -1.0], "pos 97%"), "avg": Reading([], [], "neg 50%")},
        {"max": Reading(["x"] * 60, [1.0] * 60, "pos 99%")},
    ]
    figure = draw_words(sentences, ["one", "two"])
    first, second = figure.axes[:2]
    assert [label.get_text() for label in first.get_xticklabels()] == ["a", "great", "film"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["max", "avg"]
    assert [label.get_text() for label in first.child_axes[0].get_yticklabels()] == ["pos 97%", "neg 50%"]
    assert first.get_title(loc="left") == "one"
    assert len(second.get_xticklabels()) == WIDEST
    shown = first.images[0].get_array()
    assert shown is not None
    assert shown[0, :3].tolist() == pytest.approx([0, 1, -0.5])


def test_sentences_without_words() -> None:
    with pytest.raises(ValueError, match="expected sentences with words"):
        draw_words([{"max": Reading([], [], "neg 50%")}])
