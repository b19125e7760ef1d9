"""``python -m compatapi``: the command line."""

from compatapi.cli import main

if __name__ == "__main__":
    main()
