"""What may be typed after `run.py tour`. Standard library only: run.py judges it before anything is installed."""

import argparse


def parser(of: type[argparse.ArgumentParser] = argparse.ArgumentParser) -> argparse.ArgumentParser:
    return of(
        prog="run.py tour",
        description="Walk the whole way of a consent as a third party would, over HTTP, on an instance of its own that "
        "is gone afterwards. Exit code 0 only when every step was seen.",
        epilog="For example: python3 run.py tour",
    )
