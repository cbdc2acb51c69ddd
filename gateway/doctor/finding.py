"""One line of what the doctor says."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"  #: it works, and something should be known
    PROBLEM = "problem"  #: it does not work, or will not


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject`: what was looked at, one or two words; `advice`: what to type, empty where all is well."""

    verdict: Verdict
    subject: str
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    return Finding(Verdict.OK, subject, text)


def warning(subject: str, text: str, advice: str) -> Finding:
    return Finding(Verdict.WARNING, subject, text, advice)


def problem(subject: str, text: str, advice: str) -> Finding:
    return Finding(Verdict.PROBLEM, subject, text, advice)
