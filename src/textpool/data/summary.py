"""A short description of data for people: classes, lengths, unknown words, duplicates."""

import logging
from collections import Counter
from statistics import median

from textpool.data.base import SentenceData

log = logging.getLogger(__name__)
MOST_CLASSES = 12  # so many are listed
_logged: set[str] = set()  # by this process


def log_summary(data: SentenceData) -> None:
    """Log the summary of data after `setup`, unless this process has logged the same summary before."""
    text = summarize(data)
    if text not in _logged:
        _logged.add(text)
        log.info("%s", text)


def summarize(data: SentenceData) -> str:
    """Describe data after `setup`: in one line, and in five lines where the sentences are natural text."""
    sizes = "{:,} training, {:,} validation and {:,} test sentences".format(*map(len, data.splits))
    first = f"data: {sizes}, {len(data.labels)} classes, vocabulary of {len(data.vocabulary):,} tokens"
    if not data.natural_text:
        return first
    return "\n  ".join([first, _classes(data), _lengths(data), _unknown_words(data), _duplicates(data)])


def _classes(data: SentenceData) -> str:
    counts = [Counter(sentence.label for sentence in split) for split in data.splits]
    shown = [f"{label} " + "/".join(f"{split[label]:,}" for split in counts) for label in data.labels[:MOST_CLASSES]]
    more = len(data.labels) - len(shown)
    return "classes (training/validation/test): " + ", ".join(shown) + (f" and {more} more" if more else "")


def _lengths(data: SentenceData) -> str:
    lengths = [len(sentence.words) for split in data.splits for sentence in split]
    return f"length: median {median(lengths):g}, maximum {max(lengths):,} words"


def _unknown_words(data: SentenceData) -> str:
    words = [word for sentence in data.splits.test for word in sentence.words]
    share = len(data.vocabulary.unknown_words(words)) / max(1, len(words))
    return f"unknown words: {share:.1%} of the words of the test split are not in the vocabulary"


def _duplicates(data: SentenceData) -> str:
    known = {tuple(sentence.words) for sentence in data.splits.train}
    found = []
    for name, split in (("validation", data.splits.val), ("test", data.splits.test)):
        n_found = sum(tuple(sentence.words) in known for sentence in split)
        found.append(f"{n_found:,} of {len(split):,} {name} sentences")
    return f"duplicates: {' and '.join(found)} also occur in the training split"
