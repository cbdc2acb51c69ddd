"""Faults on purpose: what tests ask of the control API, applied to a user's next requests.

An effect is a row in EFFECTS: its name, what values it takes. A new kind is a new row and two lines in `apply`.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import F, Q

from banks.sandbox.answers import UNEXPECTED, ObError
from banks.sandbox.models import Fault


def _whole(lowest: int, highest: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


#: Effect -> does this value make sense? `delay_ms`: milliseconds before the answer; `status`: answer with this error;
#: `retry_after`: seconds in the Retry-After header of that error.
EFFECTS: dict[str, Callable[[object], bool]] = {
    "delay_ms": _whole(0, 60_000),
    "status": _whole(400, 599),
    "retry_after": _whole(0, 86_400),
}


class InvalidFault(Exception):
    """The description of a fault cannot be used; str() says why."""


def add(description: dict[str, Any]) -> Fault:
    """Store a fault such as {"user": "happy", "path_contains": "/transactions", "status": 429, "times": 3}.

    `user` and `path_contains` empty or absent: any; `times` null or absent: until deleted. Raises InvalidFault.
    """
    unknown = description.keys() - EFFECTS.keys() - {"user", "path_contains", "times"}
    if unknown:
        raise InvalidFault(f"unknown member: {', '.join(sorted(unknown))}")
    texts = {name: description.get(name) or "" for name in ("user", "path_contains")}
    if not all(isinstance(value, str) and len(value) <= 200 for value in texts.values()) or len(texts["user"]) > 40:
        raise InvalidFault("user and path_contains are short texts")
    times = description.get("times")
    if times is not None and not _whole(1, 1_000_000)(times):
        raise InvalidFault("times is a whole number from 1, or null")
    effect = {name: value for name in EFFECTS if (value := description.get(name)) is not None}
    wrong = [name for name, value in effect.items() if not EFFECTS[name](value)]
    if wrong:
        raise InvalidFault(f"out of range: {', '.join(wrong)}")
    if not effect:
        raise InvalidFault(f"name at least one effect: {', '.join(EFFECTS)}")
    return Fault.objects.create(
        user=texts["user"], path_contains=texts["path_contains"], effect=effect, times_left=times
    )


def apply(user: str, path: str) -> None:
    """Let the faults that fit happen: waits, and raises ObError when one injects a status."""
    for fault in Fault.objects.filter(Q(user="") | Q(user=user)).order_by("pk"):
        if fault.path_contains in path and _claim(fault):
            happen(fault.effect, "A fault was injected.")


def happen(effect: Mapping[str, int], words: str) -> None:
    """Let one effect (see EFFECTS) happen: wait, then raise ObError with `words` when it has a status."""
    time.sleep(effect.get("delay_ms", 0) / 1000)
    if "status" in effect:
        headers = {"Retry-After": str(effect["retry_after"])} if "retry_after" in effect else {}
        raise ObError(effect["status"], (UNEXPECTED, words), headers=headers)


def _claim(fault: Fault) -> bool:
    """Use the fault up by one. Two requests at once never share the last one."""
    if fault.times_left is None:
        return True
    return bool(Fault.objects.filter(pk=fault.pk, times_left__gt=0).update(times_left=F("times_left") - 1))
