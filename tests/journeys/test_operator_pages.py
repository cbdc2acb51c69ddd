"""The operator acts in a browser without a script; what each page looks like is in test_every_page.py."""

from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, Page

from banks.models import Connection
from consents.models import Platform
from gateway.operator.site import site
from tests.support import everything, factors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def _sign_in(page: Page, origin: str) -> None:
    """With the session of an operator who has proved it; how that is done has tests of its own."""
    session = factors.proved(factors.operator()).cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": session.key, "value": session.value, "url": origin}])


@pytest.fixture
def filled(transactional_db: None) -> None:
    everything.happened(everything.shared(everything.person()), Connection.objects.get())


def test_a_platform_is_suspended_with_the_keyboard_alone_and_no_script(
    live_server: Any, filled: None, chromium: Browser
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(8000)
    tab = context.new_page()
    _sign_in(tab, live_server.url)
    tab.goto(live_server.url + reverse("operator:consents_platform_changelist"))

    tab.locator("#result_list input[type=checkbox]").last.press("Space")
    tab.locator("select[name=action]").select_option("suspend")
    tab.locator("select[name=reason]").select_option("COMPLAINTS")
    with tab.expect_navigation():
        tab.get_by_role("button", name="Go").press("Enter")

    assert "Suspended: 1." in tab.content()
    assert Platform.objects.get().status == "SUSPENDED"
    context.close()


def test_no_list_is_wider_than_a_laptop(live_server: Any, filled: None, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    context.set_default_timeout(8000)
    tab = context.new_page()
    _sign_in(tab, live_server.url)
    lists = [f"operator:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in site._registry]
    wider = []
    for name in lists:
        tab.goto(live_server.url + reverse(name))
        table = tab.locator(".table")
        if not table.evaluate("table => table.scrollWidth <= table.clientWidth"):
            wider.append(name)

    assert len(lists) > 10 and wider == []
    context.close()
