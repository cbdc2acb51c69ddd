"""What a log call may say: a constant sentence, and members of the allow-list. Values go nowhere else."""

import ast
from collections.abc import Iterator

import pytest

from gateway.logs import ALLOWED
from tests.architecture import source

_LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
#: Not loggers, though the method has such a name.
_NOT_LOGGERS = {"messages", "parser", "math", "self"}


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LEVELS:
            owner = node.func.value
            if (isinstance(owner, ast.Name) and owner.id in ("log", "logger", "logging")) or (
                isinstance(owner, ast.Call) and ast.unparse(owner.func).endswith("getLogger")
            ):
                yield node


def faults(call: ast.Call) -> Iterator[str]:
    message, *rest = call.args
    is_constant = isinstance(message, ast.Constant) and isinstance(message.value, str)
    # `banks.leases._tell` hands on one of two literals, which its type says.
    if not is_constant and not (isinstance(message, ast.Name) and message.id == "what"):
        yield "the message is not a constant"
    if is_constant and "%" in str(message.value):
        yield "the message has a placeholder"
    if rest:
        yield "values are arguments of the message"
    for word in call.keywords:
        if word.arg == "extra":
            yield from _of_extra(word.value)
        elif word.arg != "exc_info":
            yield f"{word.arg}= is none of ours"


def _of_extra(value: ast.expr) -> Iterator[str]:
    """Members of every dictionary that is written out there; what is put together elsewhere is `named` below."""
    for node in ast.walk(value):
        if isinstance(node, ast.Dict):
            for key in node.keys:
                if isinstance(key, ast.Constant) and key.value not in ALLOWED:
                    yield f"{key.value} is not on the allow-list"


def test_log_calls_are_constants_with_members_of_the_allow_list() -> None:
    found = [
        (name, call.lineno, fault)
        for name, tree in source.modules().items()
        for call in calls(tree)
        for fault in faults(call)
    ]

    assert found == []


def test_there_are_log_calls_to_look_at() -> None:
    assert sum(1 for tree in source.modules().values() for _ in calls(tree)) > 25


@pytest.mark.parametrize(
    "line",
    [
        'log.info(f"read {account.name}")',
        'log.info("read %s", account.name)',
        'log.info("read %s" % account.name)',
        'log.info("read " + account.name)',
        "log.info(account.name)",
        'logger.exception("failed", extra={"iban": account.iban})',
        'logging.getLogger(__name__).warning("failed: {}".format(error))',
        'log.log(10, "x")',
    ],
)
def test_a_value_in_a_message_would_be_seen(line: str) -> None:
    assert [fault for call in calls(ast.parse(line)) for fault in faults(call)] != []


def test_what_is_named_by_codes_passes() -> None:
    line = 'log.warning("notice not sent", extra={**named, "code": error.code}, exc_info=True)'

    assert [fault for call in calls(ast.parse(line)) for fault in faults(call)] == []
