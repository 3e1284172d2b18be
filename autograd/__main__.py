"""`python -m autograd coverage`: what a tensor meets in each of NumPy's functions."""

import argparse

from .coverage import report


def main(arguments=None) -> None:
    """Reads the command line and prints what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m autograd", description=__doc__)
    parser.add_argument("command", choices=["coverage"], help="coverage: the table of NumPy's functions")
    parser.parse_args(arguments)
    print(report())


if __name__ == "__main__":
    main()
