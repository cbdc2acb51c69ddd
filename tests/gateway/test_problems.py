"""The table: a row for every refusal, and every row fit to be read."""

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from rest_framework import exceptions

from banks.errors import InstitutionNotFound, ReadError
from consents.denials import DENIALS, DenialCode
from consents.errors import ConsentError, Denied, RequestNotAllowed
from consents.policy import ENDED
from gateway import problem_answers, problems
from gateway.problems import PROBLEM_CODES, PROBLEMS


def leaves(root: type[Exception]) -> Iterator[type[Exception]]:
    children = root.__subclasses__()
    if not children:
        yield root
    for child in children:
        yield from leaves(child)


REACHABLE = [*leaves(ConsentError), *leaves(ReadError), *leaves(exceptions.APIException), InstitutionNotFound]


@pytest.mark.parametrize(
    "error",
    [error for error in REACHABLE if error is not Denied and not error.__module__.startswith(("tests.", "drf_"))],
    ids=lambda error: error.__name__,
)
def test_every_refusal_has_a_row_of_its_own(error: type[Exception]) -> None:
    assert error in problems.ERROR_CODES
    assert problems.ERROR_CODES[error] in PROBLEMS


@pytest.mark.parametrize("code", DenialCode)
def test_every_denial_has_a_row_with_its_owner_and_what_to_do(code: DenialCode) -> None:
    row = problems.problem_of(Denied(DENIALS[code]))

    assert row is not None
    assert (row.code, row.owner, row.suggested_action) == (code, DENIALS[code].owner, DENIALS[code].action)
    assert row.status == (401 if code in ENDED else 403)


def test_an_error_nobody_listed_is_an_alarm() -> None:
    assert problems.problem_of(ValueError("x")) is None


@pytest.mark.parametrize("code", PROBLEM_CODES)
def test_codes_are_lower_snake_case_and_texts_are_sentences(code: str) -> None:
    row = PROBLEMS[code]

    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    for text in (row.title, row.detail, row.display_message):
        assert text[0].isupper() and text.endswith("."), text


@pytest.mark.parametrize("code", PROBLEM_CODES)
def test_what_a_user_may_read_is_plain(code: str) -> None:
    """Flesch-Kincaid grade 8 at most, and short."""
    text = PROBLEMS[code].display_message
    words = re.findall(r"[A-Za-z']+", text)
    sentences = text.count(".")
    syllables = sum(max(1, len(re.findall(r"[aeiouy]+", word.lower().removesuffix("e")))) for word in words)
    grade = 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59

    assert len(words) <= 20
    assert grade <= 8, grade


def test_an_exceptions_own_text_never_leaves() -> None:
    request = Client().get("/openapi.json").wsgi_request
    error = RequestNotAllowed("scopes", "beyond the purposes named: merchants")

    body = problem_answers.answer(problems.PROBLEMS["account_not_found"], request, error=LookupError("alice's account"))

    assert b"alice" not in body.content
    assert b"/scopes" in problem_answers.answer(PROBLEMS["request_not_allowed"], request, error=error).content


def test_findings_of_a_body_carry_json_pointers() -> None:
    detail = exceptions.ValidationError(
        {
            "rows": [{}, {"a/b": ["Needed."]}],
            "non_field_errors": ["Odd."],
            "x~y": [exceptions.ErrorDetail("No.", "bad")],
        }
    ).detail

    found = [(item.pointer, item.code) for item in problem_answers._validation_errors(detail)]

    assert found == [("/rows/1/a~1b", "invalid"), ("", "invalid"), ("/x~0y", "bad")]


@pytest.mark.parametrize("code", PROBLEM_CODES)
def test_type_leads_to_a_page_about_it(db: None, code: str) -> None:
    path = problem_answers.type_uri(code).removeprefix(problem_answers.settings.ISSUER)

    answer = Client().get(path)

    assert answer.status_code == 200
    assert code in answer.content.decode()


def test_the_catalogue_lists_every_code(db: None) -> None:
    page = Client().get("/problems/").content.decode()

    assert not [code for code in PROBLEM_CODES if f">{code}<" not in page]
