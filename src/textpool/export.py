"""A trained classifier as one file that runs without textpool: as ONNX, or as a program of torch.export.

The file has one input, `tokens`: int64 (batch, time), token numbers with 0 as the padding at the end, for any batch and
any time of at least 1. Its output, `logits`, is float32 (batch, classes). What else is needed to classify a text, see
`about`, travels in the metadata of the file.
"""

import importlib.util
import inspect
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from textpool.agreement import TOLERANCE, Difference, Run, compare, width_of
from textpool.build import Trained
from textpool.checks import one_of
from textpool.data import SentenceData
from textpool.pooling import Pooling

FORMATS = ("onnx", "pt2")
METADATA = {"onnx": "textpool", "pt2": "textpool.json"}  # key of metadata_props, name among the extra files
PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # of the extra `onnx`


def export(trained: Trained, format: str, path: str | Path) -> Difference:
    """Write a classifier as a file, and compare the file with PyTorch on random sentences.

    A file that exists is replaced once the new one is checked.

    Args:
        trained: from `textpool.build.load`.
        format: `onnx`, or `pt2` for a program of torch.export.
        path: of the file; that of a `pt2` must end so, because torch loads no other.

    Returns:
        The difference, see `textpool.agreement.compare`.

    Raises:
        ValueError: if the classifier cannot be exported, with the reason, or the difference is above the tolerance.
        ImportError: if a package of the extra `onnx` is missing.
    """
    path = Path(path)
    one_of("format", format, FORMATS)
    if format == "pt2" and path.suffix != ".pt2":
        raise ValueError(f"out: expected a name that ends in .pt2, because torch loads no other, got {path}")
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if format == "onnx" and missing:
        raise ImportError(f"onnx needs {', '.join(missing)}: pip install 'textpool[onnx]', in a clone '.[onnx]'")
    if not path.parent.is_dir():
        raise ValueError(f"out: no such folder: {path.parent}")
    draft = path.with_name(f".{path.stem}.{os.getpid()}.{format}")
    write, read = {"onnx": (write_onnx, read_onnx), "pt2": (write_pt2, read_pt2)}[format]
    try:
        with quiet():
            with reason(trained, "torch.export"):
                program = program_of(trained)
            with reason(trained, format):
                write(program, json.dumps(about(trained.data)), draft)
                difference = compare(trained, read(draft))
        if difference.share > TOLERANCE:
            raise ValueError(
                f"cannot export {name_of(trained)} to {format} because the logits of the file differ by up to "
                f"{difference.largest:.2g} from those of PyTorch, expected at most {TOLERANCE:.0e} of the largest"
            )
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return difference


def about(data: SentenceData) -> dict[str, Any]:
    """What is needed beside the weights to classify a text.

    Returns:
        `pattern`: the regular expression of a word, in Python's syntax; `lowercase`: whether the text is converted to
        lower case first; `vocabulary`: words in the order of their numbers, of which number 0 is the padding;
        `unknown`: the number of all other words, or None if they are left out; `max_length`: of a longer sentence, the
        first so many numbers are kept, or None; `labels`: classes in the order of the logits.
    """
    return {
        "pattern": data.tokenize.pattern.pattern,
        "lowercase": data.tokenize.lowercase,
        "vocabulary": data.vocabulary.words,
        "unknown": data.vocabulary.unknown,
        "max_length": data.max_length,
        "labels": data.labels,
    }


class AnyLength(nn.Module):
    """A model that pads all sentences, by as much that a shape within it never depends on how short they are.

    A program has no branches: without it, one would be needed for sentences that are shorter than a kernel. The padding
    changes no result, except where a model counts it as words: then all sentences get the length that they had in the
    training.

    Args:
        model: gives logits (batch, classes) for tokens (batch, time).
        width: number of tokens to which sentences are padded or cut; None: the padding has no influence.
    """

    def __init__(self, model: nn.Module, width: int | None) -> None:
        super().__init__()
        kernels = [module.kernel_size[0] for module in model.modules() if isinstance(module, nn.Conv1d)]
        sizes = [module.size for module in model.modules() if isinstance(module, Pooling)]
        self.model, self.width = model, width
        self.more = width or 1 + max(kernels, default=0) + max(sizes, default=0)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (batch, classes) of tokens (batch, time)."""
        padding = tokens.new_zeros(tokens.shape[0], self.more)
        return self.model(torch.cat([tokens, padding], dim=1)[:, : self.width])


def program_of(trained: Trained) -> ExportedProgram:
    """The program of a classifier, for any batch and any length."""
    model = AnyLength(trained.classifier.model, width_of(trained.data)).eval()
    example = torch.ones(3, 7, dtype=torch.long)
    shapes = ({0: Dim("batch", min=1), 1: Dim("time", min=1)},)
    options: dict[str, Any] = {}
    if "prefer_deferred_runtime_asserts_over_guards" in inspect.signature(torch.export.export).parameters:
        # what torch cannot prove about all lengths, such as those within a DCNN, is left to the comparison
        options["prefer_deferred_runtime_asserts_over_guards"] = True
    return torch.export.export(model, (example,), dynamic_shapes=shapes, **options)


def write_pt2(program: ExportedProgram, metadata: str, path: Path) -> None:
    """Write a program with its metadata as a file of torch.export."""
    torch.export.save(program, path, extra_files={METADATA["pt2"]: metadata})


def read_pt2(path: Path) -> Run:
    """The function that a file of torch.export holds."""
    return torch.export.load(path).module()


def write_onnx(program: ExportedProgram, metadata: str, path: Path) -> None:
    """Write a program with its metadata as an ONNX file."""
    import onnxscript

    op: Any = onnxscript.opset18

    def stable_sort(values: Any, stable: bool = True, dim: int = -1, descending: bool = False) -> Any:
        # the exporter of torch 2.13 has none; of equal values, TopK gives the one with the lower index first
        length = op.Gather(op.Shape(values), op.Constant(value_ints=[dim]), axis=0)
        return op.TopK(values, length, axis=dim, largest=int(descending), sorted=1)

    table: dict[Callable[..., Any], Any] = {torch.ops.aten.sort.stable: stable_sort}
    made = torch.onnx.export(
        program,
        input_names=["tokens"],
        output_names=["logits"],
        dynamo=True,
        custom_translation_table=table,
        verbose=False,
    )
    if made is None:
        raise ValueError("torch.onnx gave no model")
    made.model.metadata_props[METADATA["onnx"]] = metadata
    made.save(path)


def read_onnx(path: Path) -> Run:
    """The function that an ONNX file holds, run by onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(tokens: Tensor) -> Tensor:
        [logits] = session.run(["logits"], {"tokens": tokens.numpy()})
        return torch.from_numpy(logits)

    return run


def name_of(trained: Trained) -> str:
    """The model and its pooling in words for people."""
    model = trained.classifier.model
    poolings = dict.fromkeys(type(module).__name__ for module in model.modules() if isinstance(module, Pooling))
    return f"{type(model).__name__} with {next(iter(poolings), 'no pooling')}"


@contextmanager
def reason(trained: Trained, step: str) -> Iterator[None]:
    """Turn whatever a step of the export raises into one line.

    Raises:
        ValueError: with the innermost reason.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # torch and onnxruntime raise many kinds
        text = f"{type(error).__name__}: {error}"
        operation = re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", text)
        while error.__cause__ is not None:
            error = error.__cause__
        first = next(iter(str(error).strip().splitlines()), "")
        why = f"ONNX has no operation for {operation[1]}" if operation else f"{type(error).__name__}: {first[:300]}"
        raise ValueError(f"cannot export {name_of(trained)} because {step} fails: {why}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what torch and its exporter say of their own affairs."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
