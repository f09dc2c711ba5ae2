"""Write a classifier as a file: `python scripts/export.py logs/first/max --to onnx --out max.onnx`."""

from textpool.commands.export import main

if __name__ == "__main__":
    main()
