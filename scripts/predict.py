"""Classify sentences: `echo "a great film" | python scripts/predict.py logs/…/checkpoints/best.ckpt`."""

from textpool.commands.predict import main

if __name__ == "__main__":
    main()
