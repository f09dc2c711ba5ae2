"""Show what each word contributes: `python scripts/explain.py logs/first/max "a great film"`."""

from textpool.commands.explain import main

if __name__ == "__main__":
    main()
