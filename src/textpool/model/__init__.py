"""Models that summarise a sentence with a pooling: plain PyTorch modules."""

from textpool.model.textcnn import TextCNN

__all__ = ["TextCNN"]
