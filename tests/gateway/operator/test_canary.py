"""No page of the operator's shows anything that a customer owns: each page of each registered table is read.

A new registration is walked without a line here; one whose table stays empty fails.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import models
from django.test import Client
from django.urls import reverse

from banks.models import Account, Balance, Connection, QuarantinedRow, RawPayload, Transaction, UpstreamEnding
from consents.models import Consent
from gateway.identity.models import User
from gateway.operator.site import site
from tests.support import everything
from tests.support.everything import CANARY, DIGITS, SPOILT

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> Consent:
    consent = everything.shared(everything.person())
    everything.happened(consent, Connection.objects.get())
    return consent


# -- every page --------------------------------------------------------------------------------------------------------

REGISTERED = sorted(site._registry, key=lambda model: model._meta.label)


def _addresses(model: type[models.Model], browser: Client) -> Iterator[str]:
    """Lists as they open, searched and filtered by every choice that is offered; details of every row."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    listed = reverse(f"operator:{name}_changelist")
    yield listed
    table = site._registry[model]
    if table.search_fields:
        yield f"{listed}?q={CANARY}"
        yield f"{listed}?q={uuid4()}"
    changelist = browser.get(listed).context["cl"]
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            yield listed + choice["query_string"]
    for row in table.rows():  # type: ignore[attr-defined]
        yield reverse(f"operator:{name}_change", args=[row.pk])


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_no_page_shows_anything_of_a_customers(world: Consent, browser: Client, model: type[models.Model]) -> None:
    addresses = list(_addresses(model, browser))

    assert any(address.endswith("/change/") for address in addresses), "a table without a row shows nothing either way"
    for address in addresses:
        page = browser.get(address)
        assert page.status_code == 200, address
        told = page.content.decode().replace(f"q={CANARY}", "").replace(f'value="{CANARY}"', "")
        assert [word for word in SPOILT if word in told] == [], address


def test_the_canaries_are_there_to_be_found(world: Consent) -> None:
    """Or the pages would be silent for the wrong reason."""
    columns = [
        str(list(model._base_manager.values()))
        for model in (User, Account, Balance, Transaction, RawPayload, QuarantinedRow, Connection, UpstreamEnding)
    ]

    assert all(CANARY in values or DIGITS in values for values in columns)


def test_a_query_reads_only_the_columns_that_are_shown(
    world: Consent, browser: Client, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(30) as queries:
        browser.get(reverse("operator:banks_quarantinedrow_changelist"))
        browser.get(reverse("operator:identity_user_changelist"))
    statements = " ".join(
        query["sql"]
        for query in queries.captured_queries
        if '"banks_quarantinedrow"' in query["sql"]
        or ('"identity_user"' in query["sql"] and "LIMIT 50" in query["sql"])
    )

    assert '"banks_quarantinedrow"."reason"' in statements
    assert "sealed" not in statements and "email" not in statements


# -- what the library would show or do ---------------------------------------------------------------------------------


def test_nothing_can_be_added_changed_or_deleted(world: Consent, browser: Client) -> None:
    for model, table in site._registry.items():
        request = browser.get(reverse("operator:index")).wsgi_request
        assert not table.has_add_permission(request)
        assert not table.has_change_permission(request)
        assert not table.has_delete_permission(request)
        assert "delete_selected" not in table.get_actions(request), model
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        row = table.rows().first()  # type: ignore[attr-defined]
        for action in ("add/", f"{row.pk}/delete/", f"{row.pk}/history/"):
            assert browser.get(f"/operator/{name}/{action}").status_code == 404
        assert browser.post(f"/operator/{name}/{row.pk}/change/", {"id": "x"}).status_code == 405


def test_neither_a_user_nor_a_connection_is_deleted_by_any_act(world: Consent, browser: Client) -> None:
    for model, table in site._registry.items():
        name = f"operator:{model._meta.app_label}_{model._meta.model_name}_changelist"
        for act in ("delete_selected", *(table.actions or ())):
            row = table.rows().first()  # type: ignore[attr-defined]
            browser.post(
                reverse(name), {"action": act, "_selected_action": [row.pk], "reason": "COMPLAINTS", "post": "yes"}
            )

    assert Connection.objects.count() == 1
    assert User.objects.filter(username__startswith=CANARY).count() == 1
    assert Account.objects.for_sync().count() == 1


def test_no_table_of_tokens_keys_or_customers_is_registered() -> None:
    from django.contrib import admin

    shown = {model._meta.label for model in REGISTERED}
    assert not {label for label in shown if label.startswith(("account.", "mfa.", "oauth2_provider.", "auth."))}
    assert not shown & {
        "consents.AccessToken", "consents.RefreshToken", "consents.Grant", "consents.PlatformToken",
        "banks.Account", "banks.Balance", "banks.Transaction", "banks.RawPayload", "banks.LinkAttempt",
    }  # fmt: skip
    assert not admin.site._registry  # the library's own site has nothing, and is mounted nowhere


def test_no_page_needs_a_script_or_a_style_of_its_own(world: Consent, browser: Client) -> None:
    """`script-src 'self'` and `style-src 'self'` hold without an exception, and there is no script at all."""
    for model in REGISTERED:
        for address in _addresses(model, browser):
            page = browser.get(address)
            told = page.content.decode()
            assert "style=" not in told and "<style" not in told, address
            assert "<script" not in told and "javascript:" not in told and " onclick" not in told, address
            assert "'unsafe-inline'" not in page["Content-Security-Policy"]
            assert "no-store" in page["Cache-Control"]
