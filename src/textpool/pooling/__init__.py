"""Strategies that summarise a feature map of any length as a fixed number of values per channel."""

from textpool.pooling.base import Pooling
from textpool.pooling.composition import Concat
from textpool.pooling.extremes import KMax, KMaxByValue, Max
from textpool.pooling.means import Avg
from textpool.pooling.regions import ChunkMax

__all__ = ["Avg", "ChunkMax", "Concat", "KMax", "KMaxByValue", "Max", "Pooling"]
