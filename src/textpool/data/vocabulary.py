"""Tokenisation, and the mapping from words to token numbers."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from textpool.checks import integer

PAD = "<PAD>"
UNK = "<UNK>"


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


class Tokenizer:
    r"""Split a text into words.

    Args:
        pattern: regular expression of one word: `\S+` for text with white space between all tokens,
            `\w+|[^\w\s]` for ordinary text, in which punctuation marks follow words directly.
        lowercase: whether to convert the text to lower case first, so that `Great` and `great` are the same word.
    """

    def __init__(self, pattern: str = r"\S+", lowercase: bool = False) -> None:
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"token_pattern: expected a regular expression, got {pattern!r} ({error})") from error
        self.lowercase = lowercase

    def __call__(self, text: str) -> list[str]:
        """Words of a text, in order."""
        return [match.group() for match in self.pattern.finditer(text.lower() if self.lowercase else text)]
