"""Random splits of labelled texts that are stratified by class and do not separate identical texts."""

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from textpool.checks import integer
from textpool.data.duplicates import Key
from textpool.data.reading import LabelledText


def hold_out(
    texts: Sequence[LabelledText], share: float, rng: random.Random, key: Key
) -> tuple[list[LabelledText], list[LabelledText]]:
    """Hold out a random share of labelled texts, stratified by class, without separating identical ones.

    Every class keeps at least one text. The share is correct for all classes together, not only for each class: of
    10 classes with 4 texts each, a share of 0.1 holds out 4 texts, although 0.1 of each class rounds to 0.

    Texts with an equal key are held out together or not at all. Such a group is held out only if it fits into what is
    left of the share of each of its classes, or else, after all others, into what is left of the whole share. So the
    shares are exact as long as there are single texts to fill them.

    Args:
        texts: the texts.
        share: of the texts to hold out, from 0 to below 1.
        rng: draws the groups.
        key: equal for texts that are to stay together.

    Returns:
        The remaining texts and the held-out texts, both in their original order.
    """
    by_label = groups_by_class(texts, key)
    candidates = []
    for of_class in by_label.values():
        rng.shuffle(of_class)
        candidates += of_class[1:]
    spare = {label: count - 1 for label, count in Counter(text.label for text in texts).items()}
    n_held_out = min(round(share * len(texts)), sum(spare.values()))
    # Candidates and spare texts are sorted by class: evenly spaced ones give each class its share, to within one text.
    spaced = _evenly_spaced(n_held_out, len(candidates))
    drawn = [candidates[place] for place in dict.fromkeys(spaced)]
    chosen = set(spaced)
    drawn += [group for place, group in enumerate(candidates) if place not in chosen]
    drawn += [of_class[0] for of_class in by_label.values()]
    labels = [label for label, count in spare.items() for _ in range(count)]
    shares = Counter(labels[place] for place in _evenly_spaced(n_held_out, len(labels)))
    held_out: set[int] = set()
    taken: Counter[str] = Counter()
    for most in (shares, spare):
        for group in drawn:
            if len(held_out) == n_held_out:
                break
            more = Counter(texts[index].label for index in group)
            fits = all(taken[label] + count <= most[label] for label, count in more.items())
            if fits and group[0] not in held_out and len(held_out) + len(group) <= n_held_out:
                held_out.update(group)
                taken += more
    remaining = [text for index, text in enumerate(texts) if index not in held_out]
    return remaining, [text for index, text in enumerate(texts) if index in held_out]


def groups_by_class(texts: Sequence[LabelledText], key: Key) -> dict[str, list[list[int]]]:
    """The places of the texts in groups with equal keys; a group belongs to the class of its first text."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        groups[key(text)].append(index)
    by_label: defaultdict[str, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        by_label[texts[group[0]].label].append(group)
    return by_label


def check_folds(folds: int | None, fold: int | None) -> tuple[int | None, int | None]:
    """Check the two settings of a cross-validation, of which both or none must be given.

    Raises:
        ValueError: if they are not.
    """
    if folds is None:
        if fold is not None:
            raise ValueError(f"folds: expected the number of folds, such as 10, with fold={fold}, got None")
        return None, None
    integer("folds", folds, least=2)
    if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < folds:
        raise ValueError(
            f"fold: expected an integer from 0 to {folds - 1}, got {fold!r}: "
            f"'data.fold=range({folds})' with -m runs all folds"
        )
    return folds, fold


def split_into_folds(texts: Sequence[LabelledText], n_folds: int, rng: random.Random, key: Key) -> list[int]:
    """Split labelled texts into folds at random, stratified by class, without separating identical ones.

    The groups of texts with equal keys are assigned one after the other, larger ones first: each to the fold that has
    the fewest texts of its class so far, of these to the one with the fewest texts in all. If no text occurs twice, the
    folds have the same number of texts of each class to within one text, and of all texts to within one.

    Args:
        texts: the texts.
        n_folds: number of folds.
        rng: draws the order of the groups.
        key: equal for texts that are to stay together.

    Returns:
        The number of the fold of each text, from 0.
    """
    by_label = groups_by_class(texts, key)
    fold_of = [0] * len(texts)
    in_all = [0] * n_folds
    of_class: defaultdict[str, list[int]] = defaultdict(lambda: [0] * n_folds)
    for label, own in by_label.items():
        rng.shuffle(own)
        for group in sorted(own, key=len, reverse=True):
            fold = min(range(n_folds), key=lambda number: (of_class[label][number], in_all[number]))
            for index in group:
                fold_of[index] = fold
                of_class[texts[index].label][fold] += 1
            in_all[fold] += len(group)
    return fold_of


def _evenly_spaced(n: int, length: int) -> list[int]:
    """The middles of `n` equal parts of `length` places; several are the same place if `n` is greater."""
    return [(2 * i + 1) * length // (2 * n) for i in range(n)] if length else []
