"""What the toolkit brings along and nobody must reach."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command, get_commands
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from oauth2_provider.oauth2_backends import get_oauthlib_core
from oauth2_provider.scopes import get_scopes_backend
from oauth2_provider.settings import oauth2_settings
from oauthlib.common import Request

from consents.scopes import Purpose
from gateway.identity.models import User
from gateway.oauth.scopes import ConsentScopes
from gateway.oauth.validator import Validator
from tests.support import cast
from tests.support.cast import Member


def patterns(resolver: Any) -> Iterator[URLPattern]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry)
        else:
            yield entry


@pytest.mark.parametrize("urlconf", ["gateway.urls", "gateway.oauth.urls"])
def test_no_view_of_the_toolkit_is_mounted(urlconf: str) -> None:
    views = [entry.callback for entry in patterns(get_resolver(urlconf))]
    modules = {getattr(view, "view_class", view).__module__ for view in views}

    assert views
    assert not [module for module in modules if module.startswith("oauth2_provider")]


@pytest.mark.parametrize(
    "path",
    [
        "introspect",
        "introspect/",
        "applications/",
        "applications/register/",
        "authorized_tokens/",
        "register",
        "register/",
        "device-authorization/",
        "device",
        "userinfo/",
        "logout/",
        "authorize/",
        "token/",
        "revoke_token/",
        ".well-known/openid-configuration",
    ],
)
@pytest.mark.parametrize("prefix", ["/", "/oauth/", "/o/"])
def test_toolkits_addresses_lead_nowhere(db: None, chat: Member, prefix: str, path: str) -> None:
    browser = Client()
    if prefix + path == "/oauth/introspect":
        prefix = "/oauth/toolkit/"  # our own stands there: RFC 7662, of a platform's own tokens
    for answer in (browser.get(prefix + path), cast.post_form(chat, prefix + path, {"token": "x"})):
        assert answer.status_code == 404


def test_no_admin_manages_platforms_or_tokens(settings: Any) -> None:
    """The toolkit registers its own wherever there is an admin: tokens and client secrets as editable fields."""
    managed: set[str] = set()
    if "django.contrib.admin" in settings.INSTALLED_APPS:
        managed = {model._meta.app_label for model in admin.site._registry}

    assert not managed & {"oauth2_provider", "consents", "oauth"}


def test_settings_name_our_classes_and_no_default_scope() -> None:
    assert oauth2_settings.OAUTH2_VALIDATOR_CLASS is Validator
    assert isinstance(get_scopes_backend(), ConsentScopes)
    assert oauth2_settings.DEFAULT_SCOPES == []
    assert not oauth2_settings.OIDC_ENABLED
    assert not oauth2_settings.ROTATE_REFRESH_TOKEN


def test_backend_offers_what_the_purposes_allow_and_no_default(db: None) -> None:
    member = cast.platform("modest", purposes=[Purpose.BALANCE_CHECK])
    backend = ConsentScopes()

    assert backend.get_available_scopes(member.platform) == ["accounts", "answers", "balances"]
    assert backend.get_available_scopes() == []
    assert backend.get_default_scopes(member.platform) == []


def test_toolkits_own_engine_authenticates_nobody(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)
    validator = get_oauthlib_core().server.request_validator
    headers = {"HTTP_AUTHORIZATION": cast.basic(chat), "Authorization": tokens.authorization}
    request = Request("/", "POST", "", headers)

    assert isinstance(validator, Validator)
    assert validator.authenticate_client(request) is False
    assert validator.authenticate_client_id(chat.platform.client_id, request) is False
    assert validator.validate_bearer_token(tokens.access_token, [], request) is False
    assert validator.validate_user("alice", cast.PASSWORD, chat.platform, request) is False


def test_command_of_the_toolkit_is_replaced_by_one_that_keeps_refresh_tokens(alice: User, chat: Member) -> None:
    tokens = cast.tokens(alice, chat)

    call_command("cleartokens", stdout=StringIO())

    assert get_commands()["cleartokens"] == "gateway.oauth"
    assert cast.refresh(chat, tokens.refresh_token).status_code == 200
