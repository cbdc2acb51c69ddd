"""Every page there is, each with a state in which it shows itself. To add one: a line in PAGES, named for what is seen.

The state is made by functions of the domain, not by clicking: what clicking leads to is in the journeys. A route that
answers GET with HTML and has no line here fails tests/journeys/test_every_page.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from uuid import UUID

from django.test import Client

from consents.models import Consent
from tests.journeys.scenes import Scene
from tests.journeys.seeing import TWO_VIEWS, VIEWS, View
from tests.journeys.staff_scenes import LABELS, terms

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One page in one state. `values` fill the route; `who` opens it, None: nobody who is signed in."""

    name: str
    route: str
    values: Callable[[Scene], Values] = field(default=lambda scene: {})
    query: str = ""
    who: Callable[[Scene], Client] | None = field(default=lambda scene: scene.alices_browser)
    status: int = 200
    views: Sequence[View] = VIEWS

    def address(self, scene: Scene) -> str:
        path = f"/{self.route}"
        for name, value in self.values(scene).items():
            path = path.replace(name, str(value))
        assert "<" not in path, path
        return path + self.query


def _consent(of: Callable[[Scene], Consent]) -> Callable[[Scene], Values]:
    return lambda scene: {"<uuid:consent_id>": of(scene).id, "<slug:slug>": scene.bank.slug}


def _link(of: Callable[[Scene], UUID]) -> Callable[[Scene], Values]:
    return lambda scene: {"<uuid:connection_id>": of(scene)}


def _charlie(scene: Scene) -> Client:
    return scene.charlies_browser


def _told(scene: Scene) -> Client:
    return scene.told


_asked = _consent(lambda scene: scene.asked)
_live = _consent(lambda scene: scene.live)
_ended = _consent(lambda scene: scene.ended)

_PEOPLE = [
    # -- for everybody --
    Shown(name="sign in", route="sign-in/", who=None),
    Shown(name="sign up", route="sign-up/", who=None),
    Shown(name="inactive", route="sign-in/inactive/", who=None),
    Shown(name="problems", route="problems/", who=None),
    Shown(name="problem", route="problems/<str:code>", who=None, values=lambda _: {"<str:code>": "consent_revoked"}),
    # -- with nothing to show --
    Shown(name="list, empty", route="", who=_charlie),
    Shown(name="links, empty", route="links/", who=_charlie),
    Shown(name="reads, empty", route="reads/", who=_charlie),
    Shown(name="notices, empty", route="notices/", who=_charlie),
    Shown(name="mail, empty", route="dev/mail", who=_charlie),
    Shown(name="download, none", route="download/", who=_charlie),
    # -- what one was told: before much else has happened --
    Shown(name="notices", route="notices/", who=_told),
    Shown(name="mail", route="dev/mail", who=_told),
    # -- what one shares --
    Shown(name="consent, live", route="consents/<uuid:consent_id>/", values=_live),
    Shown(name="consent, ended", route="consents/<uuid:consent_id>/", values=_ended),
    Shown(
        name="consent, paused", route="consents/<uuid:consent_id>/", values=_consent(lambda scene: scene.paused)
    ),
    Shown(
        name="consent, on hold", route="consents/<uuid:consent_id>/", values=_consent(lambda scene: scene.reported)
    ),
    Shown(name="stop", route="consents/<uuid:consent_id>/stop/", values=_live),
    Shown(name="narrow", route="consents/<uuid:consent_id>/narrow/", values=_live),
    Shown(
        name="renew consent", route="consents/<uuid:consent_id>/renew/", values=_consent(lambda scene: scene.ending)
    ),
    Shown(name="report", route="consents/<uuid:consent_id>/report/", values=_live),
    Shown(name="stop everything", route="stop-everything/"),
    Shown(name="reads", route="reads/"),
    Shown(name="list", route=""),
    # -- the links to banks --
    Shown(name="links", route="links/"),
    Shown(name="disconnect", route="links/<uuid:connection_id>/disconnect/", values=_link(lambda scene: scene.link)),
    Shown(name="renew", route="links/<uuid:connection_id>/renew/", values=_link(lambda scene: scene.waiting_link)),
    Shown(name="links, one waits", route="links/"),
    # -- a copy of everything --
    Shown(name="download, being made", route="download/", who=lambda scene: scene.copying),
    Shown(name="download, ready", route="download/", who=lambda scene: scene.copied),
    # -- last: with much that has ended --
    Shown(name="links, over", route="links/", who=lambda scene: scene.unlinked),
    Shown(name="list, long", route="", who=lambda scene: scene.many),
    Shown(name="sign out", route="sign-out/"),
]  # fmt: skip

_FLOW = [
    Shown(name="ask", route="connect/<uuid:consent_id>/", values=_asked),
    Shown(name="list, waiting", route=""),
    Shown(name="consent, waiting", route="consents/<uuid:consent_id>/", values=_asked),
    Shown(name="bank", route="connect/<uuid:consent_id>/bank/", values=_asked),
    Shown(name="scopes", route="connect/<uuid:consent_id>/scopes/", values=_asked),
    Shown(name="duration", route="connect/<uuid:consent_id>/duration/", values=_asked),
    Shown(name="redirect", route="connect/<uuid:consent_id>/bank/<slug:slug>/", values=_asked),
    Shown(name="nothing linked", route="banks/<slug:slug>/callback", values=_asked, status=400),
    Shown(name="accounts", route="connect/<uuid:consent_id>/accounts/", values=_asked),
    Shown(name="confirm", route="connect/<uuid:consent_id>/confirm/", values=_consent(lambda scene: scene.chosen)),
    Shown(name="done", route="connect/<uuid:consent_id>/done/", values=_live),
    Shown(name="over", route="connect/<uuid:consent_id>/done/", values=_ended),
]  # fmt: skip


def _dora(scene: Scene) -> Client:
    return scene.doras_browser


def _passkey(scene: Scene) -> Values:
    return {"<int:pk>": scene.passkey}


_SECURITY = [
    Shown(name="security, password alone", route="security/"),
    Shown(name="passkeys, none", route="security/passkeys/"),
    Shown(name="set up codes", route="security/codes/"),
    Shown(name="confirm by password", route="security/confirm/"),
    Shown(name="second factor", route="sign-in/second-factor/", who=lambda scene: scene.half_way),
    Shown(name="security", route="security/", who=_dora),
    Shown(name="history", route="security/history/", who=_dora),
    Shown(name="confirm by code", route="security/confirm/code/", who=_dora),
    Shown(name="confirm by passkey", route="security/confirm/passkey/", who=_dora),
    Shown(name="passkeys", route="security/passkeys/", who=_dora),
    Shown(name="add a passkey", route="security/passkeys/add/", who=_dora),
    Shown(name="rename a passkey", route="security/passkeys/<int:pk>/rename/", values=_passkey, who=_dora),
    Shown(name="remove a passkey", route="security/passkeys/<int:pk>/remove/", values=_passkey, who=_dora),
    Shown(name="recovery codes", route="security/recovery-codes/", who=_dora),
    Shown(name="new recovery codes", route="security/recovery-codes/new/", who=_dora),
    Shown(name="remove codes", route="security/codes/remove/", who=_dora),
    Shown(name="password", route="security/password/", who=_dora),
    Shown(name="e-mail", route="security/email/", who=_dora),
    Shown(name="close", route="security/close/", who=_dora),
]  # fmt: skip

_ROOT = "backoffice/<slug:slug>/"
_AT_BANK = f"{_ROOT}platforms/<uuid:platform_id>/"
_LOOKED_UP = f"{_ROOT}customers/<uuid:lookup_id>/"
_CUSTOMERS = f"{_LOOKED_UP}consents/<uuid:consent_id>/"
_PROPOSAL = f"{_ROOT}proposals/<uuid:proposal_id>/"


def _console(name: str, route: str, query: str = "", **identities: Callable[[Scene], UUID]) -> Shown:
    """By the clerk; `identities` is what else fills the route, by name."""

    def values(scene: Scene) -> Values:
        found = {"<slug:slug>": scene.console.bank.slug, "<uuid:platform_id>": scene.console.platform}
        return found | {f"<uuid:{one}_id>": identity(scene) for one, identity in identities.items()}

    return Shown(name=name, route=route, query=query, values=values, who=lambda scene: scene.console.busy)


def _lookup(scene: Scene) -> UUID:
    return scene.console.lookup


_BANK = [
    Shown(
        name="console, empty",
        route=_ROOT,
        values=lambda scene: {"<slug:slug>": scene.console.bank.slug},
        who=lambda scene: scene.console.browser,
    ),
    _console("console", _ROOT),
    _console("console, not found", _ROOT, "?q=nobody"),
    _console("console, all", _ROOT, "?all=1"),
    _console("suspend all", f"{_ROOT}suspend/"),
    _console("stop a scope for all", f"{_ROOT}stop-scope/"),
    _console("policy", f"{_ROOT}policy/"),
    _console("review", f"{_ROOT}policy/review/", terms(1)),
    _console("platform", _AT_BANK),
    _console("suspend", f"{_AT_BANK}suspend/"),
    _console("withdraw", f"{_AT_BANK}withdraw/"),
    _console("stop which scope", f"{_AT_BANK}stop-scope/"),
    _console("stop a scope", f"{_AT_BANK}stop-scope/", "?scope=transactions"),
    _console("own policy", f"{_AT_BANK}policy/"),
    _console("own review", f"{_AT_BANK}policy/review/", terms(0)),
    _console("merchants, none", f"{_AT_BANK}merchants/"),
    _console(
        "remove a merchant",
        f"{_AT_BANK}merchants/<uuid:merchant_id>/remove/",
        merchant=lambda scene: scene.console.merchant,
    ),
    _console("merchants", f"{_AT_BANK}merchants/"),
    _console("proposals, none", f"{_ROOT}proposals/"),
    _console("proposal, own", _PROPOSAL, proposal=lambda scene: scene.console.proposal),
    _console("proposal", _PROPOSAL, proposal=lambda scene: scene.console.proposal_of_another),
    _console("proposals", f"{_ROOT}proposals/"),
    _console("customers", f"{_ROOT}customers/"),
    _console("customer", _LOOKED_UP, lookup=_lookup),
    _console("suspend a consent", f"{_CUSTOMERS}suspend/", lookup=_lookup, consent=lambda scene: scene.console.held),
    _console("end a consent", f"{_CUSTOMERS}end/", lookup=_lookup, consent=lambda scene: scene.console.held),
    _console("lift a consent", f"{_CUSTOMERS}lift/", lookup=_lookup, consent=lambda scene: scene.console.suspended),
    _console("lift", f"{_AT_BANK}lift/", platform=lambda scene: scene.console.stopped),
    _console("platform, stopped", _AT_BANK),
    _console("lift all", f"{_ROOT}lift/", bank=lambda scene: scene.console.all_stopped),
    _console("console, stopped", _ROOT),
    _console("audit", f"{_ROOT}audit/"),
]  # fmt: skip


def _operator(scene: Scene) -> Client:
    return scene.tables.browser


def _table(label: str, views: Sequence[View]) -> list[Shown]:
    """A list and one of its rows."""
    at = f"operator/{label}/"
    return [
        Shown(name=f"{label} list", route=at, who=_operator, views=views),
        Shown(
            name=f"{label} row",
            route=f"{at}<str:object_id>/change/",
            values=lambda scene: {"<str:object_id>": scene.tables.row(label)},
            who=_operator,
            views=views,
        ),
    ]


#: The audit trail's has a form of its own, and the consents' is as wide as any; the others differ in words alone.
_OWN_LAYOUT = ("consents/auditentry", "consents/consent")

_OPERATOR = [
    Shown(name="operator", route="operator/", who=_operator),
    Shown(name="operator, not found", route="operator/consents/platform/", query="?q=nothing", who=_operator),
    *chain.from_iterable(_table(label, VIEWS if label in _OWN_LAYOUT else TWO_VIEWS) for label in LABELS),
]  # fmt: skip

#: By who looks at them; each group has people and rows of its own.
PAGES: Mapping[str, Sequence[Shown]] = {
    "people": _PEOPLE,
    "flow": _FLOW,
    "security": _SECURITY,
    "bank": _BANK,
    "operator": _OPERATOR,
}

#: Answer GET without a page of their own, and why.
NO_PAGE = {
    "sign-in/passkey/": "sends to the sign-in page, or gives its script a challenge",
    "security/recovery-codes/download/": "a text file",
    "consents/<uuid:consent_id>/pause/": "sends back to the consent: a GET decides nothing",
    "consents/<uuid:consent_id>/resume/": "sends back to the consent: a GET decides nothing",
    "consents/<uuid:consent_id>/report/withdraw/": "sends back to the consent: a GET decides nothing",
    "reads.csv": "a table for other programs",
    "reads.json": "a table for other programs",
    "download/<uuid:job_id>/sluice-data.zip": "a ZIP file; its own page is looked at in test_accessibility.py",
    "backoffice/<slug:slug>/audit.csv": "a table for other programs",
    "connect/<uuid:consent_id>/refuse/": "sends back to the question: a GET decides nothing",
    "connect/<uuid:consent_id>/return/": "sends back to the last page: a GET answers nobody",
    "llms.txt": "a text file",
    "docs/": "Swagger's page, whose targets are not ours; tests/gateway/api/test_docs.py looks at it",
}
#: First words of routes that answer with JSON, or redirect a protocol's request.
MACHINES = ("v1/", "oauth/", ".well-known/", "openapi.json", "livez", "readyz", "metrics")


def cookie(client: Client, name: str) -> dict[str, Any]:
    return {"name": name, "value": client.cookies[name].value}
