"""The commands: `textpool train` and `python scripts/train.py` are the same."""

import sys
from importlib import import_module

COMMANDS = {
    "train": "train one pooling, or compare many in a sweep",
    "compare": "compare the runs of studies",
    "reference": "add a bag-of-words logistic regression to a study",
    "predict": "classify sentences with a trained checkpoint",
    "evaluate": "measure a trained checkpoint on labelled sentences",
    "explain": "show what each word of a sentence contributes to its class",
    "filters": "draw what the filters look for, and what the poolings keep of them",
    "export": "write a trained checkpoint as a file that runs without textpool",
    "lengths": "measure the runs of a study on sentences of other lengths",
    "resemblance": "tell whether a task orders the poolings as a data set does",
    "ceilings": "compute what each pooling can represent on the diagnostic tasks",
}


def main() -> None:
    """Run the command that the first argument names, with the arguments behind it."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name not in COMMANDS:
        lines = "\n".join(f"  {command:12}{what}" for command, what in COMMANDS.items())
        text = f"usage: textpool COMMAND …\n\ncommands:\n{lines}\n\n`textpool COMMAND --help` explains a command."
        if name in ("--help", "-h"):
            print(text)
            return
        sys.exit(f"error: no command {name!r}\n{text}")
    sys.argv = [f"textpool {name}", *sys.argv[2:]]
    import_module(f"textpool.commands.{name}").main()
