"""Labelled sentences from a generator, from files or from a hub, as batches of token numbers."""

from textpool.data.base import Sentence, SentenceData, Splits
from textpool.data.diagnostic import DiagnosticTask
from textpool.data.hub import HuggingFaceData
from textpool.data.labelled import LabelledTextData
from textpool.data.sentiment import SentimentData
from textpool.data.tasks import Count, Needle, Order, Position, Proportion, Spread, Tone, Twice
from textpool.data.text_file import TextFileData
from textpool.data.vocabulary import Tokenizer, Vocabulary

__all__ = [
    "Count",
    "DiagnosticTask",
    "HuggingFaceData",
    "LabelledTextData",
    "Needle",
    "Order",
    "Position",
    "Proportion",
    "Sentence",
    "SentenceData",
    "SentimentData",
    "Splits",
    "Spread",
    "TextFileData",
    "Tokenizer",
    "Tone",
    "Twice",
    "Vocabulary",
]
