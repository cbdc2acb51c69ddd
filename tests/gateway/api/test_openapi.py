"""The document: valid, complete, public, and about /v1 alone."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from gateway.api import urls
from gateway.problems import PROBLEM_CODES
from tests.gateway.api import contract


@pytest.fixture(scope="module")
def document() -> Any:
    return Client().get("/openapi.json").json()


def test_it_validates_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO(), stderr=io.StringIO())


def test_it_is_open_api_3_1_and_needs_no_token(document: Any) -> None:
    assert document["openapi"].startswith("3.1")


def test_it_lists_every_v1_address_and_no_other(document: Any) -> None:
    routes = {f"/{pattern.pattern}".replace("<str:", "{").replace(">", "}") for pattern in urls.urlpatterns}

    assert set(document["paths"]) == {route for route in routes if route.startswith("/v1/")}


#: What the platform does as itself; the first two it may do with a user's token too.
EITHER = {"listInstitutions", "endConsent"}
MANAGEMENT = {"listConsents", "getConsentById", "listEvents", "acknowledgeEvents"}


def operations_of(document: Any) -> list[Any]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_every_operation_wants_its_token_and_names_its_refusals(document: Any) -> None:
    for operation in operations_of(document):
        name = operation["operationId"]
        kinds = [kind for one in operation["security"] for kind in one]
        headers = {parameter["name"] for parameter in operation["parameters"]}
        if name in MANAGEMENT:
            assert kinds == ["platformToken"]
            assert "Purpose" not in headers
        else:
            assert kinds == (["platformToken", "consentToken"] if name in EITHER else ["consentToken"])
            assert "Purpose" in headers
        assert {"400", "401", "403", "406", "429", "500", "503"} <= set(operation["responses"])
        assert "X-Request-Id" in headers


def test_both_kinds_of_token_are_explained(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]

    assert set(schemes) == {"platformToken", "consentToken"}
    assert all((one["type"], one["scheme"]) == ("http", "bearer") and one["description"] for one in schemes.values())


def _bodies(operation: Any) -> list[tuple[str, Any]]:
    """(place, media type object) of the request and of each answer that has a body."""
    found = [("request", operation["requestBody"])] if "requestBody" in operation else []
    found += list(operation["responses"].items())
    return [(place, content) for place, one in found for content in one.get("content", {}).values()]


def test_every_operation_shows_its_request_and_each_of_its_answers_by_an_example(document: Any) -> None:
    for operation in operations_of(document):
        for place, content in _bodies(operation):
            assert content.get("examples"), (operation["operationId"], place)


def test_every_example_fits_its_own_schema(document: Any) -> None:
    """Closed: a member that the schema does not know fails too."""
    count = 0
    for operation in operations_of(contract.document()):
        for place, content in _bodies(operation):
            rules = {**content["schema"], "components": contract.document()["components"]}
            for example in content["examples"].values():
                errors = [error.message for error in contract.validator(rules).iter_errors(example["value"])]
                assert errors == [], (operation["operationId"], place)
                count += 1
    assert count > 150


def test_every_example_is_a_problem_that_exists(document: Any) -> None:
    examples = [
        example["value"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for answer in operation["responses"].values()
        for media_type, content in answer.get("content", {}).items()
        if media_type == "application/problem+json"
        for example in content["examples"].values()
    ]

    assert examples and {example["code"] for example in examples} <= set(PROBLEM_CODES)


def test_the_service_has_no_v1_address_outside_this_package() -> None:
    outside = [
        str(pattern.pattern)
        for included in get_resolver().url_patterns
        if getattr(included, "urlconf_name", None) is not urls
        for pattern in getattr(included, "url_patterns", [included])
    ]

    assert not [route for route in outside if route.startswith("v1")]
