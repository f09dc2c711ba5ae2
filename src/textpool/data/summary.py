"""A short description of data for people: classes, lengths, unknown words, and what is unusual."""

import hashlib
import logging
from collections import Counter
from pathlib import Path
from statistics import median

from textpool.data.base import SentenceData

log = logging.getLogger(__name__)
MOST_CLASSES = 12  # so many are listed


def log_summary(data: SentenceData, shared: Path | None = None) -> None:
    """Log the summary of data after `setup`, and as one warning what is unusual about the sentences.

    Args:
        data: the data.
        shared: folder in which the jobs of a sweep, each in whatever process, note what has been logged: one of them
            logs it for all. None: it is logged.
    """
    texts = {summarize(data): logging.INFO}
    if data.notes:
        texts["warning: " + "\n  ".join(data.notes)] = logging.WARNING
    for text, level in texts.items():
        log_once(text, level, shared)


def log_once(text: str, level: int = logging.INFO, shared: Path | None = None) -> None:
    """Log a text, unless another job of the same sweep has logged it, see `log_summary`."""
    if _is_new(text, shared):
        log.log(level, "%s", text)


def _is_new(text: str, shared: Path | None) -> bool:
    if shared is None:
        return True
    try:
        (shared / f"logged-{hashlib.sha256(text.encode()).hexdigest()[:16]}").touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:  # a full disk: rather twice than never
        return True
    return True


def summarize(data: SentenceData) -> str:
    """Describe data after `setup`: in one line, and in four lines where the sentences are natural text."""
    sizes = "{:,} training, {:,} validation and {:,} test sentences".format(*map(len, data.splits))
    first = f"data: {sizes}, {len(data.labels)} classes, vocabulary of {len(data.vocabulary):,} tokens"
    if not data.natural_text:
        return first
    return "\n  ".join([first, _classes(data), _lengths(data), _unknown_words(data)])


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
