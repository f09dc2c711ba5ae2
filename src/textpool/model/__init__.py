"""Models that use a pooling: plain PyTorch modules, independent of Lightning and Hydra."""

from textpool.model.dcnn import Dcnn
from textpool.model.swem import Swem
from textpool.model.textcnn import TextCNN

__all__ = ["Dcnn", "Swem", "TextCNN"]
