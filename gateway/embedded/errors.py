"""What the embedded instance tells the person who started it, each in one line."""


class CannotStart(Exception):
    """Starting is pointless until something is mended; the text says what, and what to type."""


class KeepsDying(Exception):
    """A process died too often to be restarted once more."""


class StopRequested(Exception):
    """Ctrl-C or a signal arrived while the instance was still starting."""
