"""The scenarios as a list and as a document: what `python -m banks.sandbox scenarios` prints. Pure."""

from collections.abc import Iterable

from banks.sandbox.people import PASSWORD, Scenario

_HEAD = f"""# Scenarios of the pretend bank

Log in at the bank under one of these user names; the password is always `{PASSWORD}`. Each name makes the bank behave
in its own way, over real HTTP and the same each time. This file is made by
`.venv/bin/python -m banks.sandbox scenarios --markdown`.

A scenario that turns does so at a **stage**. Days of the bank's books count from its first answer to that user: a stage
lasts one day, or seven where the table says a week. `POST /control/people/NAME` with `{{"stage": 1}}` turns it at once,
`{{"stage": 0}}` begins it anew. `{{"seconds": 0.2}}` shortens what `slow`, `hanging` and `dripping` wait.
`POST /control/clock` moves the bank's clock; `banks/sandbox/clock.py` says what moves with it, and
`banks/sandbox/control.py` lists everything else. The control API answers on loopback only, and to its token, which
`python3 run.py` keeps in its data directory (Harbour Card's is `sandbox_card_control_token`):

```
curl -s -H "Authorization: Bearer $(cat var/secrets/sandbox_control_token)" -d '{{"stage": 1}}' \\
  http://127.0.0.1:8001/control/people/login_lost
```
"""


def as_list(people: Iterable[Scenario]) -> list[dict[str, str]]:
    """username, password and scenario of each, for programs."""
    return [{"username": person.name, "password": PASSWORD, "scenario": person.description} for person in people]


def as_markdown(people: Iterable[Scenario]) -> str:
    """A heading, how to use it, and one row for each customer."""
    rows = [("user name", "what happens", "what a client should do"), ("---", "---", "---")]
    rows += [(f"`{person.name}`", person.description, person.advice or "Nothing special.") for person in people]
    return _HEAD + "\n" + "\n".join(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
