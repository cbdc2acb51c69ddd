"""The document: valid, complete, public, and about /v1 alone."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver

from gateway.api import urls
from gateway.problems import PROBLEM_CODES


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


def test_every_operation_wants_the_token_and_names_its_refusals(document: Any) -> None:
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]

    for operation in operations:
        assert operation["security"] == [{"consentToken": []}]
        assert {"400", "401", "406", "500", "503"} <= set(operation["responses"])
        assert {"Purpose", "X-Request-Id"} <= {parameter["name"] for parameter in operation["parameters"]}


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
