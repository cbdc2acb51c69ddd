"""What a started instance tells its user: a table for people, or one JSON line for programs.

Both hold passwords and client secrets of the embedded instance, so they go to stdout and never into a log. Only the
JSON also says how to move a bank's clock (`control`, with its token) and which processes there are: a program that
shows something off needs them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway import advice
from gateway.embedded import example, shell
from gateway.embedded.banks import HOST
from gateway.embedded.instance import Instance

CUSTOMERS_SHOWN = 7
LISTS = ("platforms", "users", "bank_admins", "operators", "banks")
_FIRST_COLUMNS = ("name", "username", "password", "totp_secret", "bank", "client_id", "client_secret", "redirect_uri")


def addresses(issuer: str, *, budget: str | None = None) -> dict[str, str]:
    """`budget`: the origin of the sample platform, where it runs."""
    found = {"issuer": issuer, "api": f"{issuer}/v1", "portal": f"{issuer}/", "docs": f"{issuer}/docs/"}
    return found if budget is None else {**found, "example": f"{budget}/"}


def as_json(instance: Instance, seed: Mapping[str, Any], process_ids: Mapping[str, int]) -> str:
    """One line: issuer, api, portal, docs, processes (name -> id), platforms, users, bank_admins, operators, banks, and
    example, where it runs."""
    lists = {name: seed.get(name, []) for name in LISTS}
    return json.dumps(
        {**addresses(instance.issuer, budget=example.origin(instance)), "processes": dict(process_ids), **lists}
    )


def as_text(instance: Instance, seed: Mapping[str, Any], seconds: float) -> str:
    where = addresses(instance.issuer, budget=example.origin(instance))
    metadata = f"curl -s {instance.issuer}/.well-known/oauth-authorization-server"
    parts = [
        f"Sluice is running (ready after {seconds:.1f} s).",
        _pairs(
            {
                "Your consents": where["portal"],
                **_consoles(instance.issuer, seed),
                "Platform API": where["api"],
                "API reference": where["docs"],
                "Pretend bank": f"http://{HOST}:{instance.bank_port}",
                "Pretend card issuer": f"http://{HOST}:{instance.card_port}",
                **({"Sample platform": where["example"]} if "example" in where else {}),
                "Logs": str(instance.logs),
                "Shell variables": str(instance.data / shell.FILE),
            }
        ),
        _table("Users of Sluice", seed.get("users", [])),
        _table("Staff of the banks, in Sluice", seed.get("bank_admins", [])),
        _table("Operators of Sluice", seed.get("operators", [])),
        _codes(instance) if seed.get("operators") else "",
        *(_customers(bank) for bank in seed.get("banks", [])),
        _table("Platforms", seed.get("platforms", [])),
        f"Try it:   {metadata}\nA tour:   python3 run.py tour\nTo stop:  Ctrl-C",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _consoles(issuer: str, seed: Mapping[str, Any]) -> dict[str, str]:
    """Where the people of the tables below sign in."""
    found = {f"Staff of {bank['name']}": f"{issuer}/backoffice/{bank['slug']}/" for bank in seed.get("banks", [])}
    return {**found, "Operators": f"{issuer}/operator/"} if seed.get("operators") else found


def _codes(instance: Instance) -> str:
    return (
        "Staff and operators sign in with a one-time code too: put the totp secret into an app for codes (“enter a "
        f"key”),\nor have the code of now printed:  {advice.manage('one_time_code NAME', instance.data)}"
    )


def _customers(bank: Mapping[str, Any]) -> str:
    """The first few: the others misbehave, and the bank's own front page says how."""
    customers = bank.get("users", [])
    table = _table(f"Customers of {bank['name']}", customers[:CUSTOMERS_SHOWN])
    more = len(customers) - CUSTOMERS_SHOWN
    if more <= 0:
        return table
    return f"{table}\n  and {more} more, with whom the bank misbehaves as real banks do: {bank['issuer']}/"


def _pairs(rows: Mapping[str, str]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows.items())


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of plain values under their keys; lists and objects inside a row are left to the JSON form."""
    if not rows:
        return ""
    columns = _columns(rows)
    cells = [[name.replace("_", " ") for name in columns]]
    cells += [[str(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([title, *(f"  {line.rstrip()}" for line in lines)])


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    present = [name for row in rows for name, value in row.items() if not isinstance(value, (list, dict))]
    return sorted(dict.fromkeys(present), key=lambda name: (_rank(name), present.index(name)))


def _rank(name: str) -> int:
    return _FIRST_COLUMNS.index(name) if name in _FIRST_COLUMNS else len(_FIRST_COLUMNS)
