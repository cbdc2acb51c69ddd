"""Ways around the ORM's managers, and around banks.http, stand in the modules named here and in no other."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture import source

#: What is forbidden -> the modules that may, each for a reason. Migrations see historical models, not ours.
ALLOWED: dict[str, set[str]] = {
    # The hot reads (docs/architecture.md): text that the ORM compiled, and two statements that it cannot say in one.
    # Tests hold each to the ORM's own form. And a batch of rows as one JSON parameter, where the ORM binds each column
    # of each row: names and types are the models' own. And the token endpoint, whose statements are compiled likewise.
    # The settings ask the driver alone, which parameters a connection has.
    "raw SQL": {
        "banks.compiled",
        "banks.gathering",
        "banks.prepared",
        "banks.store_postgresql",
        "banks.usage_sql",
        "gateway.oauth.statements",
        "gateway.settings",
    },
    "app registry": {"gateway.management.commands.dumpdata"},  # looks at which tables there are, to refuse them
    "manager past the governed one": set(),
    "extra SQL": set(),
    # The embedded supervisor asks its own children on loopback whether they are up.
    # Mail goes to the operator's own mail server, by Django's backend and within a bound of ours.
    "HTTP client of the standard library": {"gateway.embedded.readiness", "gateway.notify.smtp"},
    "socket": {"banks.address_guard", "banks.pinned", "gateway.embedded.instance"},
    "code from text": set(),
}

_METHODS = {
    "cursor": "raw SQL",
    "raw": "raw SQL",
    "execute": "raw SQL",
    "executemany": "raw SQL",
    "extra": "extra SQL",
    "get_model": "app registry",
    "get_models": "app registry",
    "model_class": "app registry",
}
_ATTRIBUTES = {
    "_base_manager": "manager past the governed one",
    "_default_manager": "manager past the governed one",
}
_NAMES = {"RawSQL": "extra SQL", "eval": "code from text", "exec": "code from text", "__import__": "code from text"}
_IMPORTS = {
    "urllib.request": "HTTP client of the standard library",
    "http.client": "HTTP client of the standard library",
    "smtplib": "HTTP client of the standard library",
    "ftplib": "HTTP client of the standard library",
    "socket": "socket",
    "pickle": "code from text",
    "marshal": "code from text",
    "sqlite3": "raw SQL",
    "psycopg": "raw SQL",
}
#: Only its exceptions, and what it refuses by itself.
_EXCEPTIONS_OF_HTTP_CLIENT = {"HTTPException", "IncompleteRead", "RemoteDisconnected"}


def found_in(tree: ast.Module) -> Iterator[str]:
    """Kinds of forbidden things in a module; one for each place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS:
            yield _METHODS[node.func.attr]
        elif isinstance(node, ast.Attribute) and node.attr in _ATTRIBUTES:
            yield _ATTRIBUTES[node.attr]
        elif isinstance(node, ast.Name) and node.id in _NAMES:
            yield _NAMES[node.id]
        elif isinstance(node, ast.Constant) and node.value in _ATTRIBUTES:
            yield _ATTRIBUTES[node.value]  # getattr(model, "_base_manager")
        elif isinstance(node, ast.Import):
            yield from (_IMPORTS[alias.name] for alias in node.names if alias.name in _IMPORTS)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from _from(node.module, {alias.name for alias in node.names})


def _from(module: str, names: set[str]) -> Iterator[str]:
    if module == "http.client" and names <= _EXCEPTIONS_OF_HTTP_CLIENT:
        return
    for full in (module, *(f"{module}.{name}" for name in names)):
        if full in _IMPORTS:
            yield _IMPORTS[full]
    if (module == "django.db" and "connection" in names) or (module == "banks.prepared" and "Statement" in names):
        yield "raw SQL"
    yield from (_NAMES[name] for name in names if name in _NAMES)


def test_what_goes_around_stands_in_the_named_modules_only() -> None:
    found = {
        (kind, name) for name, tree in source.modules().items() if ".migrations." not in name for kind in found_in(tree)
    }

    assert found - {(kind, name) for kind, names in ALLOWED.items() for name in names} == set()


def test_a_module_that_no_longer_needs_its_exception_loses_it() -> None:
    found = {(kind, name) for name, tree in source.modules().items() for kind in found_in(tree)}

    assert {(kind, name) for kind, names in ALLOWED.items() for name in names} <= found


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("connection.cursor().execute('SELECT 1')", "raw SQL"),
        ("connections['default'].cursor()", "raw SQL"),
        ("from django.db import connection", "raw SQL"),
        ("from banks.prepared import Statement", "raw SQL"),
        ("Account.objects.for_sync().raw('SELECT 1')", "raw SQL"),
        ("import sqlite3", "raw SQL"),
        ("from psycopg import connect", "raw SQL"),
        ("import psycopg", "raw SQL"),
        ("rows.extra(where=['1=1'])", "extra SQL"),
        ("from django.db.models.expressions import RawSQL", "extra SQL"),
        ("apps.get_model('banks', 'Account')", "app registry"),
        ("ContentType.objects.get(id=1).model_class()", "app registry"),
        ("Account._base_manager.all()", "manager past the governed one"),
        ("Account._default_manager.all()", "manager past the governed one"),
        ("getattr(Account, '_base_manager').all()", "manager past the governed one"),
        ("import urllib.request", "HTTP client of the standard library"),
        ("from urllib import request", "HTTP client of the standard library"),
        ("from urllib.request import urlopen", "HTTP client of the standard library"),
        ("from http.client import HTTPConnection", "HTTP client of the standard library"),
        ("import socket", "socket"),
        ("eval('1')", "code from text"),
        ("import pickle", "code from text"),
    ],
)
def test_each_way_around_would_be_seen(line: str, kind: str) -> None:
    assert kind in set(found_in(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "rows.values('raw')",
        "cursor = request.GET.get('cursor')",
        "from http.client import IncompleteRead",
        "from urllib.parse import urlsplit",
        "from django.db import transaction",
        "executor.loader.graph.leaf_nodes()",
    ],
)
def test_what_only_looks_like_one_is_left_alone(line: str) -> None:
    assert set(found_in(ast.parse(line))) == set()
