"""Draw what the filters of trained text CNNs look for, and what their poolings keep."""

import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    """Draw the filter card of one checkpoint, or one filter of each checkpoint along a sentence."""
    parser = argparse.ArgumentParser(
        description="Draw the filters of a trained text CNN. Without --sentence: the n-grams with the largest values, "
        "the histogram of the maxima and the weights to the classes, of the filters that matter most. With --sentence: "
        "the values of the strongest filter of each checkpoint along the sentence, and what its pooling keeps of them."
    )
    parser.add_argument("checkpoints", nargs="+", help="folders of runs, or paths of checkpoints")
    parser.add_argument("--sentence", help="text of a sentence")
    parser.add_argument("--filters", type=int, default=5, metavar="N", help="number of filters; default: 5")
    parser.add_argument("--figure", default="filters.png", metavar="FILE", help="default: filters.png")
    parser.add_argument("--json", action="store_true", help="print what is drawn as JSON")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="MODULE", help="a module of yours that a checkpoint may use"
    )
    arguments = parser.parse_intermixed_args()
    from textpool.build import load  # late: --help needs neither torch nor Lightning
    from textpool.checks import integer
    from textpool.filters import filter_cards, kept
    from textpool.inference import find_checkpoint
    from textpool.study.filters import draw_cards, draw_kept

    try:
        integer("--filters", arguments.filters, least=1)
        if arguments.sentence is None and len(arguments.checkpoints) > 1:
            raise ValueError("expected one checkpoint, or --sentence for a comparison of several")
        trained = {Path(name).name: load(find_checkpoint(name), arguments.allow) for name in arguments.checkpoints}
        if arguments.sentence is None:
            (name,) = trained
            cards = filter_cards(trained[name], trained[name].data.load().train, arguments.filters)
            shown = [card._asdict() | {"ngrams": [each._asdict() for each in card.ngrams]} for card in cards]
            figure = draw_cards(cards, f"{name}: the filters with the largest weights times spread of their maxima")
        else:
            found = {name: kept(each, arguments.sentence) for name, each in trained.items()}
            shown = {name: each._asdict() for name, each in found.items()}
            figure = draw_kept(found, "The filter that adds most to the logit of the predicted class")
        figure.savefig(arguments.figure, dpi=150)
    except ValueError as error:
        sys.exit(f"error: {error}")
    if arguments.json:
        print(json.dumps(shown))
    print(f"figure: {arguments.figure}", file=sys.stderr)
