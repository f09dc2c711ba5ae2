"""Strategies that summarise a feature map of any length as a fixed number of values per channel."""

from textpool.pooling.base import Pooling, count, mask_out
from textpool.pooling.composition import Concat, Gated, Mixed
from textpool.pooling.controls import First, Last
from textpool.pooling.extremes import KMax, KMaxByValue, Max, TopKMean
from textpool.pooling.means import Avg, LogMeanExp, PowerMean, SoftCount, SqrtSum, Stats, Sum
from textpool.pooling.regions import ChunkAvg, ChunkMax, Hierarchical, LocalAvg, LocalMax, Pyramid, left_align
from textpool.pooling.weighted import Attention, GatedAttention, Softmax, masked_softmax

__all__ = [
    "Attention",
    "Avg",
    "ChunkAvg",
    "ChunkMax",
    "Concat",
    "First",
    "Gated",
    "GatedAttention",
    "Hierarchical",
    "KMax",
    "KMaxByValue",
    "Last",
    "LocalAvg",
    "LocalMax",
    "LogMeanExp",
    "Max",
    "Mixed",
    "Pooling",
    "PowerMean",
    "Pyramid",
    "SoftCount",
    "Softmax",
    "SqrtSum",
    "Stats",
    "Sum",
    "TopKMean",
    "count",
    "left_align",
    "mask_out",
    "masked_softmax",
]
