"""Tokenisation, and the mapping from words to token numbers."""

import functools
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from textpool.checks import integer, switch

PAD = "<PAD>"
UNK = "<UNK>"
MOST_SECONDS = 5.0  # that the search for the words of one text may take

TOKENS = {
    # A word with apostrophes and hyphens inside, such as don't and well-made; the second half of a word that is split
    # already, such as 's in «it 's», as in published data sets; one or more of the same other mark, such as ... and --.
    "words": r"\w+(?:['\u2019-]\w+)*|['\u2019](?:s|t|re|ve|ll|d|m)\b|([^\w\s])\1*",
    "spaces": r"\S+",
    "characters": r"\S",
}


class Vocabulary:
    """The words that a model knows: `<PAD>` is token 0 and `<UNK>`, if the vocabulary has it, is token 1.

    Args:
        words: all tokens in the order of their numbers, `<PAD>` first.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        # without <PAD>: the word "<PAD>" in a user's sentence must not be encoded as padding
        self.index = {word: number for number, word in enumerate(self.words) if word != PAD}
        self.unknown = self.index.get(UNK)

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def build(cls, sentences: Iterable[Sequence[str]], min_freq: int = 1, max_size: int | None = None) -> "Vocabulary":
        """Number the words of `sentences` in alphabetical order.

        Args:
            sentences: the words of each sentence of the training split.
            min_freq: words with fewer occurrences become `<UNK>`.
            max_size: maximum number of tokens, `<PAD>` and `<UNK>` included; the most frequent words are kept.
        """
        integer("min_freq", min_freq, least=1)
        if max_size is not None:
            integer("max_size", max_size, least=3)
        counts = Counter(word for sentence in sentences for word in sentence)
        for special in (PAD, UNK):
            counts.pop(special, None)
        frequent = [word for word, count in counts.items() if count >= min_freq]
        if max_size is not None:
            frequent = sorted(frequent, key=lambda word: (-counts[word], word))[: max_size - 2]
        return cls([PAD, UNK, *sorted(frequent)])

    def encode(self, words: Iterable[str]) -> list[int]:
        """Token numbers of words; an unknown word becomes `<UNK>`, or is left out if the vocabulary has no `<UNK>`."""
        if self.unknown is None:
            return [self.index[word] for word in words if word in self.index]
        return [self.index.get(word, self.unknown) for word in words]

    def unknown_words(self, words: Iterable[str]) -> list[str]:
        """Those of the words that are not in the vocabulary, in their order."""
        return [word for word in words if word not in self.index]


class Tokenizer:
    r"""Split a text into words.

    Args:
        tokens: what a word is: `words` for text as people write it, in which punctuation marks follow words directly,
            and become words of their own; `spaces` for text with white space between all words; `characters` for text
            without white space between words; or a regular expression of one word, such as `\w+`.
        lowercase: whether to convert the text to lower case first, so that `Great` and `great` are the same word.

    Raises:
        ValueError: if `tokens` is neither one of the names nor a regular expression.
    """

    def __init__(self, tokens: str = "spaces", lowercase: bool = False) -> None:
        wrong = f"tokens: expected {', '.join(TOKENS)} or a regular expression of one word, got {tokens!r}"
        # a mistyped name is a regular expression too, but it finds only itself
        if not isinstance(tokens, str) or (tokens not in TOKENS and re.fullmatch(r"[\w-]*", tokens)):
            raise ValueError(wrong)
        try:
            self.pattern = re.compile(TOKENS.get(tokens, tokens))
        except re.error as error:
            raise ValueError(f"{wrong} ({error})") from error
        if self.pattern.fullmatch(""):
            raise ValueError(f"{wrong} (it finds empty words)")
        self.lowercase = switch("lowercase", lowercase)
        self.of_user = tokens not in TOKENS

    def __call__(self, text: str) -> list[str]:
        """Words of a text, in order.

        Raises:
            ValueError: if a regular expression of the user's has not found them after `MOST_SECONDS`.
        """
        with limited(self.pattern.pattern, text) if self.of_user else nullcontext():
            return [match.group() for match in self.pattern.finditer(text.lower() if self.lowercase else text)]


def sharing_words(tokenize: Callable[[str], Iterable[str]]) -> Callable[[str], tuple[str, ...]]:
    """The words of a text, found once, with one object for all occurrences of a word in all texts.

    An object for each occurrence takes 50 bytes, most of the memory of a million sentences.
    """
    shared: dict[str, str] = {}

    @functools.cache
    def words(text: str) -> tuple[str, ...]:
        return tuple(shared.setdefault(word, word) for word in tokenize(text))

    return words


@contextmanager
def limited(pattern: str, text: str) -> Iterator[None]:
    """End a search that takes for ever: some regular expressions take exponential time.

    Python can interrupt a search by a signal, which only the main thread gets; in others there is no limit.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(signum: int, frame: Any) -> None:
        raise ValueError(
            f"tokens: the regular expression {pattern!r} had not found the words of a text of {len(text):,} characters "
            f"after {MOST_SECONDS:g} seconds, {text[:40]!r}: avoid repetitions inside of repetitions"
        )

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
