"""`python -m rltrain` is `rltrain`."""

from rltrain.cli import main

if __name__ == "__main__":
    main()
