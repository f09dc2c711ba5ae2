"""Strategies that summarise a feature map of any length as a fixed number of values per channel."""

from textpool.pooling.base import Pooling, count, mask_out
from textpool.pooling.composition import PNA, Concat, Gated, Mixed
from textpool.pooling.controls import First, Last
from textpool.pooling.extremes import KMax, KMaxByValue, Max, Quantile, TopKMean, TopKShare
from textpool.pooling.means import Avg, LogMeanExp, PNorm, PowerMean, SoftCount, SqrtSum, Stats, Sum
from textpool.pooling.regions import ChunkAvg, ChunkMax, Hierarchical, LocalAvg, LocalMax, Pyramid, left_align
from textpool.pooling.weighted import (
    Attention,
    GatedAttention,
    LinearSoftmax,
    QueryAttention,
    Softmax,
    SparseAttention,
    masked_softmax,
    masked_sparsemax,
)

__all__ = [
    "PNA",
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
    "LinearSoftmax",
    "LocalAvg",
    "LocalMax",
    "LogMeanExp",
    "Max",
    "Mixed",
    "PNorm",
    "Pooling",
    "PowerMean",
    "Pyramid",
    "Quantile",
    "QueryAttention",
    "SoftCount",
    "Softmax",
    "SparseAttention",
    "SqrtSum",
    "Stats",
    "Sum",
    "TopKMean",
    "TopKShare",
    "count",
    "left_align",
    "mask_out",
    "masked_softmax",
    "masked_sparsemax",
]
