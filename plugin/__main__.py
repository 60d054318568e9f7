"""`python -m plugin` is the same as `deskhand`."""

from plugin.cli import main

if __name__ == "__main__":
    main()
