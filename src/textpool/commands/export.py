"""Write a trained classifier as a file that runs without textpool."""

import argparse
import sys
from pathlib import Path


def main() -> None:
    """Write the file, and say how far its logits are from those of PyTorch."""
    parser = argparse.ArgumentParser(
        description="Write a trained checkpoint as one file that runs without textpool, and compare it with PyTorch on "
        "random sentences of 1 to 200 words in batches of 1 to 64. Vocabulary, labels and the settings of the "
        "tokenizer are in the metadata of the file."
    )
    parser.add_argument("checkpoint", help="folder of a run, or path of a best.ckpt or last.ckpt")
    parser.add_argument(
        "--to", required=True, choices=("onnx", "pt2"), help="ONNX (extra `onnx`), or a program of torch.export"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="such as max.onnx or max.pt2")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that the checkpoint may use"
    )
    arguments = parser.parse_args()
    from textpool.agreement import LARGEST, LONGEST, TOLERANCE  # late: --help needs neither torch nor Lightning
    from textpool.build import load
    from textpool.export import export
    from textpool.inference import find_checkpoint

    try:
        trained = load(find_checkpoint(arguments.checkpoint), arguments.allow)
        difference = export(trained, arguments.to, arguments.out)
    except (ValueError, ImportError) as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {arguments.out}: cannot be written: {error.strerror}")
    print(f"file:       {arguments.out} ({arguments.out.stat().st_size / 1e6:.1f} MB)")
    print(
        f"difference: at most {difference.largest:.1e} from the logits of PyTorch, {difference.share:.1e} of the "
        f"largest (allowed: {TOLERANCE:.0e}), for {difference.sentences:,} random sentences of 1 to {LONGEST} words in "
        f"batches of 1 to {LARGEST}"
    )
    if difference.undecided:
        print(f"left out:   {difference.undecided} sentences in which rounding decides which values the pooling keeps")
