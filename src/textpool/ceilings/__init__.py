"""What a text CNN can represent on the diagnostic tasks, whatever is trained: two bounds for each pooling.

With one filler word and at most one cue in a window, a filter can have any value of at least 0 for each kind of window,
independently of the others: its bias is the value for filler words, and the weight of a cue at a place is the
difference from it. A text CNN whose weights are set in this way is therefore as general as a trained one, and only the
pooling and the linear layer limit what it represents.
"""

from textpool.ceilings.bounds import Bounds, ceiling
from textpool.ceilings.detectors import build_detectors, constructed, randomized, set_detectors
from textpool.ceilings.sentences import Sample, Task, draw_task

__all__ = [
    "Bounds",
    "Sample",
    "Task",
    "build_detectors",
    "ceiling",
    "constructed",
    "draw_task",
    "randomized",
    "set_detectors",
]
