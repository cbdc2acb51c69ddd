"""Every check that keeps bad input out is some case's only guard: take one away, and a case of the corpus fails.

The checks are found in the source: each `raise` of a rejection in the modules that bad input passes through, and each
alternative of its condition by itself. Checks that are no `raise`, such as a pattern or a list of codes, are LISTED.
No file is changed: a function gets the code of its mutant for the time of one run.
"""

import ast
import copy
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from banks import accounts, strict_json
from banks.dialects import members, oauth_client, uk_obie
from banks.dialects.uk_obie import accounts as uk_accounts
from banks.dialects.uk_obie import authorisation, codes, common, parse
from banks.http import answers, client
from banks.normalize import dates, merchants, money, text
from tests.corpus.bank import observed, observed_rows
from tests.corpus.case import Case, Where
from tests.corpus.test_corpus import CASES

MODULES: tuple[ModuleType, ...] = (
    *(strict_json, answers, client, members, oauth_client, uk_obie, authorisation, uk_accounts, common, parse),
    *(dates, money, accounts),
)
#: What a rejection is called where it is raised.
REJECTIONS = frozenset(
    (
        *("RowRejected", "rejected", "DateRejected", "AmountRejected", "BankFormatChanged", "AnswerTooLarge"),
        *("PagingBroken", "BankRefused", "ValueError"),
    )
)
#: Checks that no answer of a bank can reach through a dialect, and where they are tested.
ELSEWHERE = {
    "banks.dialects.uk_obie.authorisation:finish#0": "what the browser brought back; test_uk_obie_bank",
    "banks.dialects.uk_obie.authorisation:finish#1": "what the browser brought back; test_uk_obie_bank",
    "banks.dialects.uk_obie.authorisation:finish#2": "what the browser brought back; test_uk_obie_bank",
    "banks.dialects.uk_obie.authorisation:finish#3": "a code that opens nothing, no bad answer; test_uk_obie_bank",
    "banks.normalize.money:to_minor#0": "NaN of a connector's own making; test_money",
    "banks.normalize.money:to_minor#2": "keeps 10**999999 from being worked out; test_money",
}

ROWS = [case for case in CASES if case.where is Where.ROW]
ANSWERS = [case for case in CASES if case.where is not Where.ROW]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One function without one of its checks."""

    name: str
    function: FunctionType = field(repr=False)
    code: CodeType = field(repr=False)


# -- finding them ------------------------------------------------------------------------------------------------------


def _mutants(module: ModuleType) -> Iterator[Mutant]:
    """All of a module, those ELSEWHERE too."""
    source = inspect.getsource(module)
    tree = ast.parse(source)
    for qualified, function in _functions(tree, ""):
        for number, change in enumerate(_checks(function)):
            name = f"{module.__name__}:{qualified}#{number}"
            mutated = copy.deepcopy(tree)
            change(next(node for name, node in _functions(mutated, "") if name == qualified))
            ast.fix_missing_locations(mutated)
            code = _code(compile(mutated, inspect.getfile(module), "exec"), qualified)
            yield Mutant(name, _resolved(module, qualified), code)


def _functions(node: ast.AST, within: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{within}{child.name}.")
        elif isinstance(child, ast.FunctionDef):
            yield f"{within}{child.name}", child


def _checks(function: ast.FunctionDef) -> Iterator[Any]:
    """The change that takes each away; nodes are told by their place in the walk, which a copy shares."""
    for place, node in enumerate(ast.walk(function)):
        if isinstance(node, ast.If) and len(node.body) == 1 and _is_rejection(node.body[0]):
            if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
                for operand in range(len(node.test.values)):
                    yield _without_operand(place, operand)
                continue
            yield _never(place)
        elif isinstance(node, ast.ExceptHandler) and len(node.body) == 1 and _is_rejection(node.body[0]):
            yield _silent(place)
    unconditional = [
        statement for statement in function.body if _is_rejection(statement)
    ]  # at the end, when all else was no reason to return
    for statement in unconditional:
        yield _dropped(function.body.index(statement))


def _is_rejection(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Raise) or statement.exc is None:
        return False
    raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    name = raised.attr if isinstance(raised, ast.Attribute) else getattr(raised, "id", "")
    return name in REJECTIONS


def _without_operand(place: int, operand: int) -> Any:
    def change(function: ast.FunctionDef) -> None:
        node = list(ast.walk(function))[place]
        assert isinstance(node, ast.If)
        assert isinstance(node.test, ast.BoolOp)
        node.test.values[operand] = ast.Constant(value=False)

    return change


def _never(place: int) -> Any:
    def change(function: ast.FunctionDef) -> None:
        node = list(ast.walk(function))[place]
        assert isinstance(node, ast.If)
        node.test = ast.Constant(value=False)

    return change


def _silent(place: int) -> Any:
    def change(function: ast.FunctionDef) -> None:
        node = list(ast.walk(function))[place]
        assert isinstance(node, ast.ExceptHandler)
        node.body = [ast.Pass()]

    return change


def _dropped(index: int) -> Any:
    def change(function: ast.FunctionDef) -> None:
        function.body[index] = ast.Pass()

    return change


def _code(module: CodeType, qualified: str) -> CodeType:
    waiting = [module]
    while waiting:
        for constant in waiting.pop().co_consts:
            if isinstance(constant, CodeType):
                if constant.co_qualname == qualified:
                    return constant
                waiting.append(constant)
    raise LookupError(qualified)


def _resolved(module: ModuleType, qualified: str) -> FunctionType:
    found: Any = module
    for name in qualified.split("."):
        found = getattr(found, name)
    assert isinstance(found, FunctionType), qualified
    return found


FOUND = [mutant for module in MODULES for mutant in _mutants(module)]
MUTANTS = [mutant for mutant in FOUND if mutant.name not in ELSEWHERE]

# -- and those that are no `raise` -------------------------------------------------------------------------------------


class _Anything(frozenset[str]):
    def __contains__(self, item: object) -> bool:
        return True


class _Echo(dict[str, str]):
    def get(self, key: str, default: Any = None) -> Any:
        return key


ANY = re.compile(".*", re.DOTALL)
#: Name -> the object that holds the check, its name there, and what lets everything through.
LISTED: dict[str, tuple[object, str, object]] = {
    "a category code has three or four digits": (merchants, "_MCC", ANY),
    "a country has two capital letters": (parse, "_COUNTRY", ANY),
    "an invisible character is taken away": (text, "_INVISIBLE", frozenset()),
    "a separator becomes a space": (text, "_SEPARATORS", frozenset()),
    "a credit line is of a known type": (uk_accounts, "CREDIT_LINE_TYPES", _Anything()),
    "pages are counted in 31 bits": (parse, "_PAGES_MAX", 2**63),
    "an account has no more than 41 characters in its id": (uk_accounts, "ACCOUNT_ID_LENGTH_MAX", 10_000),
    "a transaction has no more than 211 characters in its id": (parse, "TRANSACTION_ID_LENGTH_MAX", 10_000),
    "a name has 140 characters": (parse, "NAME_LENGTH_MAX", 10_000),
    "no date is before 1970": (dates, "FIRST_YEAR", 1),
    "no date is after 2100": (dates, "LAST_YEAR", 9999),
    "an amount is digits": (members, "_UNSIGNED", ANY),
    "a rate has 28 digits": (members, "_DIGITS_MAX", 10_000),
    "an amount has an end": (money, "MINOR_UNITS_MAX", 10**30),
    "a number has 64 characters": (strict_json, "_NUMBER_CHARACTERS_MAX", 10_000),
    "a number has the range of a double": (strict_json, "_EXPONENT_MAX", 10**30),
    "a balance type is in the table": (
        codes.VERSIONS,
        "4.0",
        replace(codes.VERSIONS["4.0"], balance_types=_Echo()),
    ),
    "a precious metal has no minor unit": (money, "_EXPONENTS", money._EXPONENTS | {"XAU": 2}),
    "a test code has no minor unit": (money, "_EXPONENTS", money._EXPONENTS | {"XTS": 2}),
    "no currency has no minor unit": (money, "_EXPONENTS", money._EXPONENTS | {"XXX": 2}),
    "a mutability is in the table": (parse, "IMMUTABLE", _Echo()),
    "what cannot be read is no absence": (members.Row, "is_unreadable", lambda row, path: False),
    "a card is an object": (members.Row, "is_object", lambda row, name: row.has(name)),
    "of several balances one counts": (uk_obie, "latest_of_each_type", list),
    "pages are a count": (uk_obie, "parse_pages_total", lambda meta: meta["TotalPages"]),
}


def test_the_corpus_passes_with_all_checks_in_place() -> None:
    assert _first_failure() is None


def test_there_are_checks_to_take_away() -> None:
    assert len(MUTANTS) + len(LISTED) > 100
    assert set(ELSEWHERE) <= {mutant.name for mutant in FOUND}
    assert {mutant.name.partition(":")[0] for mutant in MUTANTS} == {module.__name__ for module in MODULES}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_without_one_of_its_checks_a_function_lets_a_case_through(mutant: Mutant) -> None:
    original = mutant.function.__code__
    mutant.function.__code__ = mutant.code
    try:
        failed = _first_failure()
    finally:
        mutant.function.__code__ = original

    assert failed is not None, f"no case needs the check at {mutant.name}"


@pytest.mark.parametrize("name", LISTED)
def test_without_a_pattern_or_table_a_case_gets_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, member, lenient = LISTED[name]
    if isinstance(holder, dict):
        monkeypatch.setitem(holder, member, lenient)
    else:
        monkeypatch.setattr(holder, member, lenient)

    assert _first_failure() is not None, f"no case needs the check that {name}"


def _first_failure() -> str | None:
    """The name of a case that does not lead to its verdict; a crash is a failure of its case."""
    try:
        for case, verdict in observed_rows(ROWS):
            if verdict != (case.verdict, case.check):
                return case.name
    except Exception as error:  # a defect of the mutant, whatever it is
        return repr(error)
    return next((case.name for case in ANSWERS if not _holds(case)), None)


def _holds(case: Case) -> bool:
    try:
        return observed(case) == (case.verdict, case.check)
    except Exception:  # a defect of the mutant, whatever it is
        return False
