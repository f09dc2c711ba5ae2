"""Sentences of a user's files that occur several times, with equal or with different labels: what to tell of them."""

from collections.abc import Callable, Hashable, Mapping, Sequence

from textpool.data.reading import LabelledText

MOST_EXAMPLES = 3  # so many are listed
Key = Callable[[LabelledText], Hashable]


def describe_duplicates(files: Mapping[str, tuple[str, Sequence[LabelledText]]], key: Key) -> list[str]:
    """Count the duplicates in the files of a data set, in one line per finding, with examples as «file:line».

    The lines depend on the files alone, not on how the training file is split.

    Args:
        files: `train`, and `val` and `test` where they have files of their own → path and texts.
        key: equal for texts that are identical for the model.

    Returns:
        The lines; none if every text occurs once.
    """
    by_path = dict(files.values())
    path, train = files["train"]
    lines = []
    for each, texts in by_path.items():
        kept = "; identical sentences are kept in one split" if each == path and len(files) < 3 else ""
        lines += [line + kept for line in _repeated(each, texts, key)]
    lines += _contradictory(by_path, key)
    first = {key(text): text for text in reversed(train)}
    for name, split in (("val", "validation"), ("test", "test")):
        if name not in files:
            continue
        other, texts = files[name]
        found = [(text, first[key(text)]) for text in texts if key(text) in first]
        if found:
            lines.append(
                f"{other}: {len(found):,} of {len(texts):,} {split} sentences occur in the training file "
                f"{_examples([f'{other}:{text.line} and {path}:{known.line}' for text, known in found])}; "
                f"none is moved: the {split} split is the whole file"
            )
    return lines


def _repeated(path: str, texts: Sequence[LabelledText], key: Key) -> list[str]:
    """The sentences of a file that occur earlier in it."""
    first: dict[Hashable, LabelledText] = {}
    found = []
    for text in texts:
        known = first.setdefault(key(text), text)
        if known is not text:
            found.append((known.line, text.line))
    if not found:
        return []
    examples = [f"{path}:{one} and {path}:{other}" for one, other in found[: MOST_EXAMPLES + 1]]
    return [f"{path}: {len(found):,} of {len(texts):,} sentences occur earlier in the file {_examples(examples)}"]


def _contradictory(by_path: Mapping[str, Sequence[LabelledText]], key: Key) -> list[str]:
    """The sentences that have different labels, in one file or in several."""
    first: dict[Hashable, tuple[str, LabelledText]] = {}  # where each sentence stands first
    places: dict[Hashable, dict[str, str]] = {}  # of a sentence with several labels: label → where it first has it
    for path, texts in by_path.items():
        for text in texts:
            words = key(text)
            where, known = first.setdefault(words, (path, text))
            if text.label != known.label:
                labels = places.setdefault(words, {known.label: f"{where}:{known.line}"})
                labels.setdefault(text.label, f"{path}:{text.line}")
    found = [
        " and ".join(f"{label!r} in {place}" for label, place in places[words].items())
        for words in first
        if words in places
    ]
    if not found:
        return []
    have = "sentence has" if len(found) == 1 else "sentences have"
    return [f"{len(found):,} {have} different labels in different places {_examples(found)}"]


def _examples(found: Sequence[str]) -> str:
    return f"({'; '.join(found[:MOST_EXAMPLES])}{'; …' if len(found) > MOST_EXAMPLES else ''})"
