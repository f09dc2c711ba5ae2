"""Models that use a pooling: plain PyTorch modules, independent of Lightning and Hydra."""

from textpool.model.textcnn import TextCNN

__all__ = ["TextCNN"]
