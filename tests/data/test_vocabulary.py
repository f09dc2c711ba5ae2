"""Vocabulary and tokeniser: reproducible token numbers, and `<UNK>` for words outside the training split."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textpool.data import Tokenizer, Vocabulary
from textpool.data.vocabulary import TOKENS, sharing_words

SENTENCES = [["b", "a", "c"], ["b", "c", "B"], ["b", "d"]]  # b 3, c 2, a B d 1


def test_words_are_numbered_alphabetically():
    """Token numbers do not depend on the order in which words occur."""
    vocabulary = Vocabulary.build(SENTENCES)
    assert vocabulary.words == ["<PAD>", "<UNK>", "B", "a", "b", "c", "d"]
    assert len(vocabulary) == 7
    assert Vocabulary.build(reversed(SENTENCES)).words == vocabulary.words
    assert vocabulary.encode(["d", "never", "a"]) == [6, 1, 3]
    assert vocabulary.encode([]) == []


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"min_freq": 2}, ["b", "c"]),
        ({"min_freq": 4}, []),
        ({"max_size": 3}, ["b"]),
        ({"max_size": 5}, ["B", "b", "c"]),  # of the words that occur once, the first in alphabetical order is kept
        ({"max_size": 100}, ["B", "a", "b", "c", "d"]),
        ({"min_freq": 2, "max_size": 3}, ["b"]),
    ],
)
def test_rare_words_become_unknown(limits, kept):
    """`min_freq` and `max_size` keep the most frequent words; `max_size` counts `<PAD>` and `<UNK>`."""
    vocabulary = Vocabulary.build(SENTENCES, **limits)
    assert vocabulary.words == ["<PAD>", "<UNK>", *kept]
    assert [word for word in "Babcd" if vocabulary.encode([word]) != [1]] == kept


@given(st.lists(st.lists(st.text(min_size=1).filter(lambda word: word not in ("<PAD>", "<UNK>")))))
def test_training_sentences_can_be_decoded(sentences):
    """Without limits, decoding restores every training sentence: no two words have the same number."""
    vocabulary = Vocabulary.build(sentences)
    assert vocabulary.words[:2] == ["<PAD>", "<UNK>"]
    assert vocabulary.words[2:] == sorted({word for sentence in sentences for word in sentence})
    for sentence in sentences:
        assert [vocabulary.words[number] for number in vocabulary.encode(sentence)] == sentence


def test_special_tokens_in_text_get_no_second_number():
    """`<UNK>` in a file, as in preprocessed corpora, is the unknown word and gets no number of its own."""
    vocabulary = Vocabulary.build([["<UNK>", "a", "<PAD>"]])
    assert vocabulary.words == ["<PAD>", "<UNK>", "a"]
    assert vocabulary.encode(["a", "<UNK>"]) == [2, 1]


def test_unknown_word_is_left_out_without_unk():
    """A vocabulary without `<UNK>`, such as the lesson's, encodes a text with unknown words without an error."""
    assert Vocabulary(["<PAD>", "a", "b"]).encode(["b", "never", "a"]) == [2, 1]


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (Tokenizer(), ["It's", "Great,", "isn't", "it?"]),
        (Tokenizer(lowercase=True), ["it's", "great,", "isn't", "it?"]),
        (Tokenizer("spaces"), ["It's", "Great,", "isn't", "it?"]),
        (Tokenizer("words"), ["It's", "Great", ",", "isn't", "it", "?"]),
        (Tokenizer("words", lowercase=True), ["it's", "great", ",", "isn't", "it", "?"]),
        (Tokenizer("characters"), list("It'sGreat,isn'tit?")),
        (Tokenizer(r"\w+|[^\w\s]"), ["It", "'", "s", "Great", ",", "isn", "'", "t", "it", "?"]),
        (Tokenizer(r"(\w)\w*", lowercase=True), ["it", "s", "great", "isn", "t", "it"]),
    ],
)
def test_pattern_finds_words(tokenizer, words):
    """A word is the whole match of the pattern, with or without groups; surrounding white space is ignored."""
    assert tokenizer("  It's Great,\tisn't it?\n") == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Well-made, isn't it?!", "Well-made , isn't it ? !"),
        ("it\u2019s a 'great' film...", "it\u2019s a ' great ' film ..."),
        ("(the rock'n'roll ) -- !!!", "( the rock'n'roll ) -- !!!"),
        ("they 're n't `` what 's it '' ?", "they 're n't `` what 's it '' ?"),  # split already
        ("café, naïve 10%", "café , naïve 10 %"),
    ],
)
def test_words_of_text_as_people_write_it(text, words):
    """Punctuation marks are apart from words; text that is split already, as in published data, stays as it is."""
    assert Tokenizer("words")(text) == words.split(" ")


@pytest.mark.parametrize("text", ["", " \t\n"])
@pytest.mark.parametrize("tokens", TOKENS)
def test_blank_text_has_no_words(tokens, text):
    """A sentence of white space is an empty sentence, not one empty word."""
    assert Tokenizer(tokens)(text) == []


@given(text=st.text(), tokens=st.sampled_from(sorted(TOKENS)))
def test_named_tokens_lose_no_character(text, tokens):
    """Each kind of tokens that has a name keeps all characters except white space, in order."""
    assert "".join(Tokenizer(tokens)(text)) == re.sub(r"\s", "", text)


def test_unknown_words_in_order():
    """Every occurrence of a word that is not in the vocabulary is found; `<UNK>` itself is a word of most."""
    vocabulary = Vocabulary(["<PAD>", "<UNK>", "a", "b"])
    assert vocabulary.unknown_words(["new", "a", "A", "<UNK>", "b", "new"]) == ["new", "A", "new"]
    assert Vocabulary(["<PAD>", "a"]).unknown_words(["a", "<UNK>", "<PAD>"]) == ["<UNK>", "<PAD>"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vocabulary.build([], min_freq=0), "^min_freq: expected an integer of at least 1, got 0"),
        (lambda: Vocabulary.build([], max_size=2), "^max_size: expected an integer of at least 3, got 2"),
        (lambda: Tokenizer("("), r"^tokens: expected words, spaces, characters or a regular .*, got '\(' \(missing"),
        (lambda: Tokenizer("word"), r"^tokens: expected words, spaces, characters or a regular .*, got 'word'$"),
        (lambda: Tokenizer(""), r"^tokens: expected words, .*, got ''$"),
        (lambda: Tokenizer(None), r"^tokens: expected words, .*, got None$"),  # pyright: ignore
        (lambda: Tokenizer(r"\w*"), r"^tokens: expected words, .* \(it finds empty words\)$"),
        (lambda: Tokenizer(lowercase="yes"), r"^lowercase: expected true or false, got 'yes'"),  # pyright: ignore
    ],
)
def test_bad_setting_of_words_is_named(make, message):
    """The error names the setting and the allowed values."""
    with pytest.raises(ValueError, match=message):
        make()


def test_word_pad_in_a_sentence_is_not_padding():
    """The word `<PAD>` in a user's sentence is an unknown word, or left out; it is never encoded as padding."""
    assert Vocabulary(["<PAD>", "<UNK>", "a"]).encode(["a", "<PAD>", "a"]) == [2, 1, 2]
    assert Vocabulary(["<PAD>", "a"]).encode(["a", "<PAD>", "a"]) == [1, 1]


def test_a_word_is_one_object_in_all_texts():
    """A million sentences would take 1 GB more with an object for each occurrence; a text is searched once."""
    searched = []

    def tokenize(text: str) -> list[str]:
        searched.append(text)
        return [word[:] + "" for word in text.split()]

    words = sharing_words(tokenize)
    one, other = words("a great film"), words("great great fun")
    assert one == ("a", "great", "film")
    assert one[1] is other[0]
    assert other[0] is other[1]
    assert words("a great film") is one
    assert one[:5] is one  # the key of a text takes no memory of its own
    assert searched == ["a great film", "great great fun"]
