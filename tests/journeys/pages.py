"""Every page there is, each with a state in which it shows itself. To add one: a line in PAGES, named for what is seen.

The state is made by functions of the domain, not by clicking: what clicking leads to is in the journeys. A route that
answers GET with HTML and has no line here fails tests/journeys/test_every_page.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.test import Client

from banks.models import Connection, Institution, LinkAttempt
from consents.models import Consent, ConsentAccount
from gateway.identity.models import User
from tests.gateway.portal.conftest import VERIFIER, show_accounts, signed_in
from tests.support import cast
from tests.support.cast import Member

Values = Mapping[str, object]


class Scene:
    """Who is there, and what they have. Each part is made when a page first asks for it."""

    @cached_property
    def alice(self) -> User:
        return cast.alice()

    @cached_property
    def charlie(self) -> User:
        """Has nothing."""
        return cast.charlie()

    @cached_property
    def chat(self) -> Member:
        return cast.chat()

    @cached_property
    def bank(self) -> Institution:
        bank = cast.institution()
        cast.permissive_policy(bank)
        return bank

    @cached_property
    def alices_browser(self) -> Client:
        return signed_in(self.alice)

    @cached_property
    def charlies_browser(self) -> Client:
        return signed_in(self.charlie)

    @cached_property
    def live(self) -> Consent:
        accounts = cast.linked_accounts(self.alice, self.bank)
        return cast.authorised_consent(self.alice, self.chat.platform, accounts=accounts)

    @cached_property
    def ended(self) -> Consent:
        return cast.revoke(cast.authorised_consent(self.alice, self.chat.platform))

    @cached_property
    def link(self) -> UUID:
        """Of `live`, to the bank: it waits for a login."""
        found = ConsentAccount.objects.filter(consent=self.live).values_list("connection_id", flat=True)[0]
        Connection.objects.filter(id=found).update(status="REAUTH_REQUIRED")
        return found

    @cached_property
    def asked(self) -> Consent:
        """Lodged by the real endpoint; the bank has shown its accounts to Alice's browser."""
        found = cast.ask(
            self.alice, self.chat, VERIFIER, scopes=["accounts", "balances"], purposes=["account_overview"]
        )
        asked = Consent.objects.get(id=found)
        show_accounts(self.alices_browser, asked, self.bank, "everyday", "savings")
        return asked

    @cached_property
    def chosen(self) -> Consent:
        """`asked`, with an account ticked."""
        attempt = LinkAttempt.objects.get(consent_id=self.asked.id)
        self.alices_browser.post(f"/connect/{self.asked.id}/accounts/", {"account": attempt.account_ids[:1]})
        return self.asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One page in one state. `values` fill the route; `who` opens it, None: nobody who is signed in."""

    name: str
    route: str
    values: Callable[[Scene], Values] = field(default=lambda scene: {})
    who: Callable[[Scene], Client] | None = field(default=lambda scene: scene.alices_browser)
    status: int = 200

    def address(self, scene: Scene) -> str:
        path = f"/{self.route}"
        for name, value in self.values(scene).items():
            path = path.replace(name, str(value))
        assert "<" not in path, path
        return path


def _consent(of: Callable[[Scene], Consent]) -> Callable[[Scene], Values]:
    return lambda scene: {"<uuid:consent_id>": of(scene).id, "<slug:slug>": scene.bank.slug}


def _link(scene: Scene) -> Values:
    return {"<uuid:connection_id>": scene.link}


def _charlie(scene: Scene) -> Client:
    return scene.charlies_browser


_asked = _consent(lambda scene: scene.asked)
_live = _consent(lambda scene: scene.live)
_ended = _consent(lambda scene: scene.ended)

PAGES: list[Shown] = [
    # -- for everybody --
    Shown(name="sign in", route="sign-in/", who=None),
    Shown(name="sign up", route="sign-up/", who=None),
    Shown(name="inactive", route="sign-in/inactive/", who=None),
    Shown(name="problems", route="problems/", who=None),
    Shown(name="problem", route="problems/<str:code>", who=None, values=lambda _: {"<str:code>": "consent_revoked"}),
    Shown(name="nothing linked", route="banks/<slug:slug>/callback", values=_asked, status=400),
    # -- what one shares --
    Shown(name="list, empty", route="", who=_charlie),
    Shown(name="links, empty", route="links/", who=_charlie),
    Shown(name="consent, live", route="consents/<uuid:consent_id>/", values=_live),
    Shown(name="consent, ended", route="consents/<uuid:consent_id>/", values=_ended),
    Shown(name="consent, waiting", route="consents/<uuid:consent_id>/", values=_asked),
    Shown(name="stop", route="consents/<uuid:consent_id>/stop/", values=_live),
    Shown(name="list", route=""),
    Shown(name="links", route="links/"),
    Shown(name="renew", route="links/<uuid:connection_id>/renew/", values=_link),
    Shown(name="links, one waits", route="links/"),
    Shown(name="sign out", route="sign-out/"),
    # -- answering a request --
    Shown(name="ask", route="connect/<uuid:consent_id>/", values=_asked),
    Shown(name="bank", route="connect/<uuid:consent_id>/bank/", values=_asked),
    Shown(name="redirect", route="connect/<uuid:consent_id>/bank/<slug:slug>/", values=_asked),
    Shown(name="accounts", route="connect/<uuid:consent_id>/accounts/", values=_asked),
    Shown(name="confirm", route="connect/<uuid:consent_id>/confirm/", values=_consent(lambda scene: scene.chosen)),
    Shown(name="done", route="connect/<uuid:consent_id>/done/", values=_live),
    Shown(name="over", route="connect/<uuid:consent_id>/done/", values=_ended),
]  # fmt: skip

#: Answer GET without a page of their own, and why.
NO_PAGE = {
    "connect/<uuid:consent_id>/refuse/": "sends back to the question: a GET decides nothing",
    "connect/<uuid:consent_id>/return/": "sends back to the last page: a GET answers nobody",
    "docs/": "Swagger's page, whose targets are not ours; tests/gateway/api/test_docs.py looks at it",
}
#: First words of routes that answer with JSON, or redirect a protocol's request.
MACHINES = ("v1/", "oauth/", ".well-known/", "openapi.json", "livez", "readyz")


def cookie(client: Client, name: str) -> dict[str, Any]:
    return {"name": name, "value": client.cookies[name].value}
