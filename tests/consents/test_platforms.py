"""Registering third parties: what they must say first, where they may be called back, and what is kept of a secret."""

import hashlib

import pytest

from consents import platforms
from consents.errors import RequestNotAllowed, TransitionRefused
from consents.models import AuditEntry, Platform
from consents.scopes import Purpose
from consents.states import PLATFORM_TRANSITIONS, PlatformStatus
from tests.support import ledger
from tests.support.ledger import BY_OPERATOR, NOW

pytestmark = pytest.mark.django_db


def _register(**changes: object) -> platforms.Registration:
    values: dict[str, object] = {
        "name": "Chat",
        "redirect_uris": ["https://chat.example/callback"],
        "purposes": [Purpose.BUDGETING],
        "attested": True,
        "actor": BY_OPERATOR,
        "now": NOW,
        **changes,
    }
    return platforms.register(**values)  # type: ignore[arg-type]


# -- redirect URIs ----------------------------------------------------------------------------------------------------

ALWAYS = [
    "https://chat.example/callback",
    "https://chat.example:8443/callback?from=sluice",
    "https://[2001:db8::1]/callback",
]
SANDBOX_ONLY = [
    "http://127.0.0.1:9000/callback",
    "http://localhost:9000/callback",
    "http://[::1]:9000/callback",
    "http://127.0.0.1/callback",
    "http://[::1]/callback",
]
NEVER = [
    "http://chat.example/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://localhost.evil.example/callback",
    "http://127.0.0.1@evil.example/callback",
    "http://evil.example:80/127.0.0.1",
    "https://chat.example/callback#fragment",
    "https://user@chat.example/callback",
    "https://user:word@chat.example/callback",
    "https://*.chat.example/callback",
    "https://chat.example/*",
    "https://chat.example/call back",
    "https://chat.example/callback\n",
    "https:///callback",
    "https://:443/callback",
    "https://chat.example/callback#",
    "https://chat.example\\.evil.example/callback",
    "https://[chat.example/callback",
    "https://chat.example:port/callback",
    "https://chat.example:99999/callback",
    "https://chat.example/call\x00back",
    "http://localhost:80:evil.example/callback",
    "//chat.example/callback",
    "/callback",
    "",
    "javascript:alert(1)",
    "data:text/html,x",
    "chat-app://callback",
    "ftp://chat.example/callback",
]


@pytest.mark.parametrize("uri", ALWAYS)
@pytest.mark.parametrize("is_sandbox", [True, False])
def test_an_absolute_https_address_is_taken_as_it_is(uri: str, is_sandbox: bool) -> None:
    registration = _register(redirect_uris=[uri], is_sandbox=is_sandbox)

    assert registration.platform.redirect_uris == uri


@pytest.mark.parametrize("uri", SANDBOX_ONLY)
def test_http_is_for_sandbox_platforms_on_loopback(uri: str) -> None:
    assert _register(redirect_uris=[uri], is_sandbox=True).platform.redirect_uris == uri
    with pytest.raises(RequestNotAllowed):
        _register(redirect_uris=[uri], is_sandbox=False)


@pytest.mark.parametrize("uri", NEVER)
@pytest.mark.parametrize("is_sandbox", [True, False])
def test_any_other_address_is_refused_and_nothing_registered(uri: str, is_sandbox: bool) -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        _register(redirect_uris=["https://chat.example/callback", uri], is_sandbox=is_sandbox)

    assert refused.value.field == "redirect_uris"
    assert not Platform.objects.exists()


# -- names ------------------------------------------------------------------------------------------------------------

UNREADABLE = ["", "  ", "A" * 256, "Chat\nBot", "Chat \u202etoB", "Chat\u200b", "Chat\x00", "Chat\udc80"]


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_name_that_a_consent_page_cannot_show_is_refused(name: str) -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        _register(name=name)

    assert refused.value.field == "name"
    assert not Platform.objects.exists()


@pytest.mark.parametrize("legal_name", [" ", "A" * 201, "Chat \u2066Ltd"])
def test_a_legal_name_is_held_to_the_same(legal_name: str) -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        _register(legal_name=legal_name)

    assert refused.value.field == "legal_name"


def test_a_long_name_needs_a_legal_name_that_fits() -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        _register(name="A" * 255)

    assert refused.value.field == "legal_name"
    assert _register(name="A" * 255, legal_name="A Ltd").platform.name == "A" * 255


def test_names_that_look_the_same_are_stored_the_same() -> None:
    platform = _register(name="  Caf\u0065\u0301   Chat ").platform

    assert (platform.name, platform.legal_name) == ("Caf\u00e9 Chat", "Caf\u00e9 Chat")


# -- secret and attestation -------------------------------------------------------------------------------------------


def test_a_secret_is_told_once_and_kept_as_sha_256_alone() -> None:
    registration = _register()

    row = Platform.objects.values().get()

    assert len(registration.client_secret) >= 40
    assert row["client_secret"] == hashlib.sha256(registration.client_secret.encode()).hexdigest()
    assert registration.client_secret not in repr(row)
    assert registration.client_secret not in repr(registration)
    assert _register().client_secret != registration.client_secret


def test_without_the_attestation_nothing_is_registered() -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        _register(attested=False)

    assert refused.value.field == "attested"
    assert not Platform.objects.exists()


def test_the_instant_of_the_attestation_is_kept() -> None:
    assert _register().platform.attested_at == NOW


def test_without_a_purpose_nothing_is_registered() -> None:
    with pytest.raises(RequestNotAllowed) as refused:
        _register(purposes=[])

    assert refused.value.field == "purposes"


def test_a_new_platform_waits_and_is_refused_by_the_toolkit_until_it_is_activated() -> None:
    platform = _register().platform

    assert platform.status == "PENDING"
    assert not platform.is_usable(None)

    platforms.change_status(platform, PlatformStatus.ACTIVE, reason="approved", actor=BY_OPERATOR, now=NOW)

    assert platform.is_usable(None)
    assert list(AuditEntry.objects.order_by("action").values_list("action", "to_status")) == [
        ("platform.active", "ACTIVE"),
        ("platform.registered", "PENDING"),
    ]


# -- status -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", list(PlatformStatus))
@pytest.mark.parametrize("target", list(PlatformStatus))
def test_a_status_changes_only_as_the_table_allows(before: PlatformStatus, target: PlatformStatus) -> None:
    platform = ledger.platform()
    Platform.objects.filter(id=platform.id).update(status=before)
    platform.refresh_from_db()
    entries = AuditEntry.objects.count()

    if target in PLATFORM_TRANSITIONS[before]:
        platforms.change_status(platform, target, reason="test", actor=BY_OPERATOR, now=NOW)
        assert platform.status == target
        assert AuditEntry.objects.count() == entries + 1
    else:
        with pytest.raises(TransitionRefused):
            platforms.change_status(platform, target, reason="test", actor=BY_OPERATOR, now=NOW)
        platform.refresh_from_db()
        assert platform.status == before
        assert AuditEntry.objects.count() == entries


def test_a_change_made_from_an_old_look_at_the_row_is_refused() -> None:
    platform = ledger.platform()
    stale = Platform.objects.get(id=platform.id)
    platforms.change_status(platform, PlatformStatus.REVOKED, reason="withdrawn", actor=BY_OPERATOR, now=NOW)

    with pytest.raises(TransitionRefused):
        platforms.change_status(stale, PlatformStatus.SUSPENDED, reason="late", actor=BY_OPERATOR, now=NOW)

    platform.refresh_from_db()
    assert platform.status == "REVOKED"
