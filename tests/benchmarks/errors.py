"""Why there is no figure."""


class CannotMeasure(Exception):
    """The machine or what was given does not let us measure; the text says what is missing."""


class Unsound(Exception):
    """What was measured is not what should have been: contestants that differ, or an answer that was not the one."""
