"""RFC 8414 and RFC 9728 documents: true, complete, and out of reach of a Host header."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from consents.scopes import Scope

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"


def fetched(path: str, **headers: str) -> Any:
    answer = Client().get(path, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    return answer.json()


def test_authorization_server_metadata() -> None:
    document = fetched(SERVER)

    assert document["issuer"] == settings.ISSUER
    assert document["response_types_supported"] == ["code"]
    assert document["response_modes_supported"] == ["query"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert document["introspection_endpoint_auth_methods_supported"] == ["client_secret_basic"]
    assert document["grant_management_actions_supported"] == ["query", "revoke"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint_auth_methods_supported"] == ["client_secret_basic"]
    assert document["revocation_endpoint_auth_methods_supported"] == ["client_secret_basic"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["authorization_details_types_supported"] == ["account_information"]
    assert document["scopes_supported"] == [scope.value for scope in Scope]
    assert document["request_uri_parameter_supported"] is False
    for absent in ("registration_endpoint", "jwks_uri", "device_authorization_endpoint"):
        assert absent not in document


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("revocation_endpoint", "revoke"),
        ("introspection_endpoint", "introspect"),
    ],
)
def test_endpoints_are_where_the_metadata_says(member: str, name: str) -> None:
    assert fetched(SERVER)[member] == settings.ISSUER + reverse(f"oauth:{name}")


def test_the_grants_are_below_the_address_the_metadata_names() -> None:
    assert f"{fetched(SERVER)['grant_management_endpoint']}/con_1" == settings.ISSUER + reverse(
        "oauth:grant", args=["con_1"]
    )


@pytest.mark.parametrize("path", [RESOURCE, f"{RESOURCE}/v1"])
def test_protected_resource_metadata(path: str) -> None:
    document = fetched(path)

    assert document["resource"] == f"{settings.ISSUER}/v1"
    assert document["authorization_servers"] == [settings.ISSUER]
    assert document["bearer_methods_supported"] == ["header"]
    assert document["scopes_supported"] == [scope.value for scope in Scope]


@pytest.mark.parametrize("path", [SERVER, RESOURCE, f"{RESOURCE}/v1"])
def test_host_headers_change_nothing(path: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    plain = Client().get(path).content

    forged = Client().get(
        path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    )

    assert forged.content == plain
    assert b"evil" not in forged.content
