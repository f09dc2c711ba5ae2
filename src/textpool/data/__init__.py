"""Labelled sentences from a generator or from files, as batches of token numbers."""

from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.sentiment import SentimentData
from textpool.data.text_file import TextFileData
from textpool.data.vocabulary import Tokenizer, Vocabulary

__all__ = ["Sentence", "SentenceData", "SentimentData", "Splits", "TextFileData", "Tokenizer", "Vocabulary"]
