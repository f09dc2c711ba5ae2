"""Show what each word of a sentence contributes to its classification."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textpool.explain import Explanation


def main() -> None:
    """Print each sentence with the contributions of its words, for each checkpoint."""
    parser = argparse.ArgumentParser(
        description="Show what each word of a sentence contributes to the logit of its class. An argument that is the "
        "folder of a run, or a file, is a checkpoint; every other one is a sentence."
    )
    parser.add_argument(
        "arguments",
        nargs="+",
        metavar="CHECKPOINT… SENTENCE…",
        help="folders of runs or paths of checkpoints; then sentences; without any, the lines of standard input",
    )
    parser.add_argument("--label", help="the class whose logit is explained; default: the predicted one")
    parser.add_argument("--method", choices=("gradient", "integrated"), help="default: gradient where it is exact")
    parser.add_argument("--figure", metavar="FILE", help="draw words by checkpoints, such as words.png or words.svg")
    parser.add_argument("--json", action="store_true", help="one JSON object for each sentence and checkpoint")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that a checkpoint may use"
    )
    arguments = parser.parse_intermixed_args()
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.explain import explain
    from textpool.inference import find_checkpoint

    # pathlib raises for a sentence that is longer than any path
    checkpoints = [given for given in arguments.arguments if os.path.exists(given)]  # noqa: PTH110
    sentences = [given for given in arguments.arguments if given not in checkpoints]
    try:
        if not checkpoints:
            raise ValueError(f"{arguments.arguments[0]}: no such file: expected a run such as logs/first/max")
        trained = {name: load(find_checkpoint(name), arguments.allow) for name in checkpoints}
        drawn: list[dict[str, Explanation]] = []
        for sentence in sentences or (line.rstrip("\n") for line in sys.stdin):
            drawn.append({})
            for name, each in trained.items():
                (found,) = explain(each, [sentence], arguments.label, arguments.method)
                drawn[-1][name] = found
                if arguments.json:
                    print(json.dumps(as_json(found) | ({"checkpoint": name} if len(trained) > 1 else {})))
                else:
                    print(line_of(found, name if len(trained) > 1 else ""))
        if arguments.figure:
            draw(drawn, arguments.figure)
    except ValueError as error:
        sys.exit(f"error: {error}")


def draw(explained: Sequence[Mapping[str, "Explanation"]], path: str) -> None:
    """Draw sentences with at least one word as a picture.

    Raises:
        ValueError: if there is none, or the file has a format that cannot be written.
    """
    from textpool.study.readings import Reading
    from textpool.study.words import draw_words

    if not explained:
        raise ValueError("figure: expected at least one sentence with words")
    names = short_labels([Path(name).name for each in explained for name in each])
    panels = [
        {
            names[Path(name).name]: Reading(found.words, found.contributions, f"{found.label} {found.probability:.0%}")
            for name, found in each.items()
        }
        for each in explained
        if any(found.words for found in each.values())
    ]
    if not panels:
        raise ValueError("figure: expected at least one sentence with words")
    draw_words(panels).savefig(path, dpi=150)
    print(f"figure: {path}", file=sys.stderr)


def short_labels(names: Sequence[str]) -> dict[str, str]:
    """Names of runs without the parts that all of them have: `kmax-k8` for `kmax-k8-order` beside `max-order`."""
    shared = set.intersection(*({*name.split("-")} for name in names))
    short = {name: "-".join(part for part in name.split("-") if part not in shared) for name in names}
    return short if all(short.values()) else {name: name for name in names}


def as_json(found: "Explanation") -> dict[str, object]:
    """The fields of an explanation, and its gap."""
    return {**found._asdict(), "gap": found.gap}


def line_of(found: "Explanation", name: str = "") -> str:
    """A line with the class, its probability, the words with their contributions, and what they add up to."""
    head = f"{name + ': ' if name else ''}{found.label} {found.probability:.1%}"
    return f"{head}  {words_of(found)}  (biases {found.bias:+.2f}, logit {found.logit:+.2f})"


def words_of(found: "Explanation") -> str:
    """The words on a terminal, the more colour the larger the contribution; elsewhere with the numbers.

    The environment variable NO_COLOR asks for numbers on a terminal too (https://no-color.org).
    """
    pairs = list(zip(found.words, found.contributions, strict=True))
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return " ".join(f"{word}{share:+.2f}" for word, share in pairs)
    largest = max((abs(share) for share in found.contributions), default=0.0) or 1.0
    return " ".join(shaded(word, share / largest) for word, share in pairs)


def shaded(word: str, share: float) -> str:
    """A word on a background from white to blue, for the class, or to orange, against it."""
    end = (0, 114, 178) if share > 0 else (213, 94, 0)  # of Okabe and Ito's colours, safe for the colour-blind
    background = [round(255 + (part - 255) * min(1.0, abs(share))) for part in end]
    ink = "255;255;255" if abs(share) > 0.6 else "0;0;0"
    return f"\x1b[48;2;{';'.join(map(str, background))}m\x1b[38;2;{ink}m{word}\x1b[0m"
