"""The route matrix: every address of the service, each method, and the answer to each kind of caller.

A route without a row fails, a row without a route fails, and a method that no row names is answered 405. Ids in an
address are real rows of Alice's; whoever is not Alice, or not her platform, must not learn even that they exist.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver
from pytest_django import DjangoDbBlocker

from banks.models import Account, Connection, LinkAttempt, RefreshRequest
from consents import clock, platforms
from consents.models import AccessToken, ApprovedMerchant, Consent, CustomerLookup, Proposal
from consents.scopes import LocationPrecision, Presence, Purpose, Scope
from consents.states import PlatformStatus
from gateway import pairwise
from gateway.api import event_cursors
from gateway.identity.models import User, UserSession
from gateway.operator.site import site
from gateway.portal.download import jobs
from gateway.portal.models import ExportJob
from gateway.portal.tasks import make_export
from tests.support import cast, everything, factors, ledger
from tests.support.cast import Member, Tokens
from tests.support.keeping import kept

pytestmark = pytest.mark.django_db

#: Stands in every row of Alice's; in no answer to anybody else.
MARK = "ALICE-ONLY"
SCOPES = tuple(ledger.EVERYTHING_RELEASED)
BROWSER = "django.contrib.auth.backends.ModelBackend"


# -- the world --------------------------------------------------------------------------------------------------------


class World:
    """Alice's account at Northbank, shared with Chat; Bob's, shared with Chat too; Alice's savings, shared with Budget.

    What every test needs is made once; the rest when it is first asked for: each test needs one corner of it.
    """

    def __init__(self) -> None:
        self.alice, self.bob = cast.alice(), cast.bob()
        self.chat = cast.chat()
        self.northbank = cast.institution()
        cast.permissive_policy(self.northbank)
        self.link = cast.connection(self.alice, self.northbank)
        # The bank's consent ends soon: it is fetched from as ever, and she may renew the link.
        Connection.objects.filter(id=self.link.id).update(consent_expires_at=clock.now() + timedelta(days=5))
        self.account = self._account(self.link, MARK)
        self.consent = cast.authorised_consent(
            self.alice, self.chat.platform, (Scope.ACCOUNTS, Scope.BALANCES), accounts=[cast.choice(self.account)]
        )

    @staticmethod
    def _account(link: Connection, name: str) -> Account:
        account = ledger.account(link, name=name)
        ledger.balance(account)
        ledger.transaction(
            account, listed_on=clock.now().date(), merchant_name=name, description=name, change_sequence=1
        )
        Connection.objects.filter(id=link.id).update(change_sequence=1)
        return account

    @cached_property
    def budget(self) -> Member:
        return cast.budget()

    @cached_property
    def savings(self) -> Account:
        return self._account(self.link, "Savings")

    @cached_property
    def bobs(self) -> Account:
        return self._account(cast.connection(self.bob, self.northbank), "Bob's own")

    @cached_property
    def waiting(self) -> Consent:
        """Lodged by the real endpoint, waiting for Alice's answer; her bank has shown her the account."""
        found = cast.ask(self.alice, self.chat, _VERIFIER, scopes=["accounts"], purposes=["account_overview"])
        now = clock.now()
        self._attempt("shown", consent_id=found, used_at=now, connection_id=self.link.id, shown=[self.account.id])
        return Consent.objects.get(id=found)

    #: Of Alice's browser, once she has one: what her bank showed, it showed there.
    session_digest = ""

    def waiting_for(self, browser: Client) -> Consent:
        """The same; the bank was visited in this browser."""
        waiting, session_key = self.waiting, browser.session.session_key or ""
        digest = hashlib.sha256(session_key.encode()).hexdigest()
        LinkAttempt.objects.filter(consent_id=waiting.id).update(session_digest=digest)
        return waiting

    def _attempt(self, state: str, *, consent_id: UUID, shown: list[UUID], **changes: Any) -> LinkAttempt:
        now = clock.now()
        return LinkAttempt.objects.create(
            state_digest=hashlib.sha256(state.encode()).hexdigest(),
            session_digest=self.session_digest,
            user=self.alice,
            institution=self.northbank,
            consent_id=consent_id,
            bank_consent_id="at-the-bank",
            sealed_secrets=b"",
            created_at=now,
            expires_at=now + timedelta(minutes=10),
            account_ids=[str(one) for one in shown],
            **changes,
        )

    def tokens(self, user: User, member: Member, account: Account) -> Tokens:
        consent = cast.authorised_consent(
            user,
            member.platform,
            SCOPES,
            accounts=[cast.choice(account)],
            location_precision=LocationPrecision.STORE,
        )
        return cast.issued(consent)

    @cached_property
    def alices(self) -> Tokens:
        """Chat's tokens for Alice."""
        return self.tokens(self.alice, self.chat, self.account)

    @cached_property
    def elsewhere(self) -> UserSession:
        now = clock.now()
        return UserSession.objects.create(user=self.alice, started_at=now, last_seen_at=now)

    @cached_property
    def passkey(self) -> Authenticator:
        return Authenticator.objects.create(
            user=self.alice, type=Authenticator.Type.WEBAUTHN, data={"name": MARK, "credential": {}}
        )

    @cached_property
    def copy(self) -> ExportJob:
        """Of Alice's data, ready to be fetched."""
        asked = jobs.request(self.alice, actor=cast.BY_USER, now=clock.now())
        make_export(str(asked.id))
        return asked

    @cached_property
    def clerk(self) -> User:
        return factors.clerk(self.northbank)

    def asked_at_the_bank(self, name: str) -> Any:
        """A row of Northbank's console about Alice, or about Chat there."""
        bank, chat, now = {"institution_id": self.northbank.id}, {"platform": self.chat.platform}, clock.now()
        if name == "merchant":
            return ApprovedMerchant.objects.get_or_create(
                **bank, **chat, merchant_key="-:chat", defaults={"approved_at": now}
            )[0]
        if name == "proposal":
            return Proposal.objects.create(
                **bank, **chat, kind="WITHDRAW", reason_code="COMPLAINTS", proposed_by=self.clerk.id, proposed_at=now
            )
        return CustomerLookup.objects.create(
            **bank,
            user_id=self.alice.id,
            staff_pseudonym=self.clerk.pseudonym,
            reason_code="COMPLAINT",
            request_id="req_look_up",
            looked_up_at=now,
        )

    @cached_property
    def refresh(self) -> RefreshRequest:
        """Asked for by Chat, under Alice's consent."""
        return RefreshRequest.objects.create(
            consent_id=self.alices.consent.id,
            platform_id=self.chat.platform.id,
            request_digest="",
            presence=Presence.ABSENT,
            parts=[{"connection_id": str(self.link.id), "code": "fetch_quota_spent"}],
            created_at=clock.now(),
        )

    @cached_property
    def operator(self) -> User:
        person = factors.operator()
        factors.set_up_codes(person)
        return person

    @cached_property
    def a_day_like_others(self) -> bool:
        """Work, policies and records of it, about Alice's consent and her bank."""
        everything.quarantined(self.account, self.link)
        everything.happened(self.consent, self.link)
        return True

    def operated(self, table: list[str]) -> str:
        """The id of a row of this table that belongs to Alice's consent, her link or her bank."""
        assert self.a_day_like_others
        found = next(model for model in site._registry if [model._meta.app_label, model._meta.model_name] == table)
        if found is User:
            return str(self.alice.id)
        row = site._registry[found].rows().order_by("pk").first()  # type: ignore[attr-defined]
        assert row is not None
        return str(row.pk)


_VERIFIER = "a-verifier-of-at-least-forty-three-characters-0123456789"


@dataclass
class Caller:
    """Somebody with a browser, a token, both or neither; `member` is the platform it speaks for."""

    world: World
    member: Member
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))
    tokens: Tokens | None = None
    authorization: str | None = None
    purpose: str | None = None

    def send(self, method: str, path: str, data: Any = None, **words: Any) -> Any:
        said = {"Authorization": self.authorization, "Purpose": self.purpose}
        headers = {name: value for name, value in said.items() if value is not None}
        return self.client.generic(method, path, data or "", headers=headers, **words)


def _with(world: World, tokens: Tokens, member: Member | None = None) -> Caller:
    return Caller(world, member or world.chat, tokens=tokens, authorization=tokens.authorization)


def _browser(world: World, user: User) -> Caller:
    caller = Caller(world, world.chat)
    caller.client.force_login(user, backend=BROWSER)
    if user == world.alice:
        world.session_digest = hashlib.sha256((caller.client.session.session_key or "").encode()).hexdigest()
    return caller


# -- callers ----------------------------------------------------------------------------------------------------------


def owner_platform(world: World) -> Caller:
    """Chat, with a token over Alice's consent."""
    return _with(world, world.alices)


def other_user(world: World) -> Caller:
    """Chat, with a token over Bob's consent."""
    return _with(world, world.tokens(world.bob, world.chat, world.bobs))


def other_platform(world: World) -> Caller:
    """Budget, with a token over another account of Alice's."""
    return _with(world, world.tokens(world.alice, world.budget, world.savings), world.budget)


def expired_token(world: World) -> Caller:
    AccessToken.objects.filter(consent=world.alices.consent).update(expires=clock.now() - timedelta(seconds=1))
    return _with(world, world.alices)


def expired_consent(world: World) -> Caller:
    Consent.objects.filter(id=world.alices.consent.id).update(expires_at=clock.now() - timedelta(seconds=1))
    return _with(world, world.alices)


def revoked_consent(world: World) -> Caller:
    cast.revoke(world.alices.consent)
    return _with(world, world.alices)


def revoked_but_tokens_left(world: World) -> Caller:
    """As if a token had been missed: it must open nothing all the same."""
    Consent.objects.filter(id=world.alices.consent.id).update(status="REVOKED")
    return _with(world, world.alices)


def paused_consent(world: World) -> Caller:
    Consent.objects.filter(id=world.alices.consent.id).update(status="PAUSED")
    return _with(world, world.alices)


def suspended_consent(world: World) -> Caller:
    Consent.objects.filter(id=world.alices.consent.id).update(status="SUSPENDED")
    return _with(world, world.alices)


def suspended_platform(world: World) -> Caller:
    caller = _with(world, world.alices)
    platforms.change_status(
        world.chat.platform, PlatformStatus.SUSPENDED, reason="test", actor=cast.BY_OPERATOR, now=clock.now()
    )
    return caller


def closed_profile(world: World) -> Caller:
    caller = _with(world, world.alices)
    User.objects.filter(id=world.alice.id).update(is_active=False)
    return caller


def invented_token(world: World) -> Caller:
    return Caller(world, world.chat, authorization="Bearer 0123456789abcdef0123456789abcdef")


def anonymous(world: World) -> Caller:
    return Caller(world, world.chat)


def operator(world: World) -> Caller:
    """An operator whose browser has just proved the second factor."""
    return Caller(world, world.chat, client=_of_the_operator(world, factors.proved))


def operator_without_proof(world: World) -> Caller:
    """The same person, signed in by password alone."""
    return Caller(world, world.chat, client=_of_the_operator(world, factors.browser_of))


def _of_the_operator(world: World, signed_in: Callable[[User], Client]) -> Client:
    browser = signed_in(world.operator)
    browser.raise_request_exception = False
    return browser


def owner_browser(world: World) -> Caller:
    return _browser(world, world.alice)


def other_browser(world: World) -> Caller:
    return _browser(world, world.bob)


def clerk(world: World) -> Caller:
    """Of Northbank, with the second factor just proved."""
    return Caller(world, world.chat, client=factors.proved(world.clerk))


def clerk_without_proof(world: World) -> Caller:
    """The same person, signed in by password alone."""
    factors.set_up_codes(world.clerk)
    return Caller(world, world.chat, client=factors.browser_of(world.clerk))


def other_clerk(world: World) -> Caller:
    """Of another bank, and as well proved."""
    return Caller(world, world.chat, client=factors.proved(factors.clerk(cast.institution("southbank"), "other")))


def wrong_purpose(world: World) -> Caller:
    """Chat, for something Alice did not agree to."""
    return replace(owner_platform(world), purpose=Purpose.FRAUD_ALERTS)


def wrong_scope(world: World) -> Caller:
    """Chat, with a token over Alice's account that hands out no row and no column of it."""
    choices, purposes = [cast.choice(world.account)], [Purpose.SPENDING_INSIGHTS]
    return _with(world, cast.tokens(world.alice, world.chat, (Scope.INSIGHTS,), accounts=choices, purposes=purposes))


def own_platform_token(world: World) -> Caller:
    """Chat, as itself."""
    return Caller(world, world.chat, authorization=f"Bearer {cast.platform_token(world.chat)}")


def other_platform_token(world: World) -> Caller:
    """Budget, as itself."""
    return Caller(world, world.budget, authorization=f"Bearer {cast.platform_token(world.budget)}")


API_CALLERS: list[Callable[[World], Caller]] = [
    owner_platform,
    other_user,
    other_platform,
    expired_token,
    expired_consent,
    revoked_consent,
    revoked_but_tokens_left,
    paused_consent,
    suspended_consent,
    suspended_platform,
    closed_profile,
    invented_token,
    anonymous,
    owner_browser,  # a session is no token
    wrong_purpose,
    wrong_scope,
    own_platform_token,
    other_platform_token,
]
PAGE_CALLERS: list[Callable[[World], Caller]] = [
    owner_browser,
    other_browser,
    anonymous,
    owner_platform,  # a token is no session
]
#: May see what is Alice's.
OWNERS = {owner_platform, owner_browser}
#: Consents of theirs are good for something: a token over one is known wherever it is not enough.
LIVE = {owner_platform, other_user, other_platform, paused_consent, suspended_consent, suspended_platform}
LIVE |= {wrong_purpose, wrong_scope}

# -- rows -------------------------------------------------------------------------------------------------------------

Expected = dict[Callable[[World], Caller], int]


@dataclass(frozen=True)
class Row:
    """`data` and `query` are what a proper caller would send."""

    route: str
    method: str
    expected: Expected
    data: Callable[[Caller], str] = lambda caller: ""
    query: Callable[[Caller], str] = lambda caller: ""
    content_type: str = "application/x-www-form-urlencoded"

    def __str__(self) -> str:
        return f"{self.method} /{self.route}"


def _api(route: str, method: str = "GET", *, owner: int = 200, foreign: int = 200, **changes: int) -> Row:
    """A /v1 address that opens data: nothing but a live consent, an active platform and an own id will do."""
    expected: Expected = dict.fromkeys(API_CALLERS, 401)
    expected |= {paused_consent: 403, suspended_consent: 403, suspended_platform: 403}
    expected |= {wrong_purpose: 403, wrong_scope: 403, own_platform_token: 403, other_platform_token: 403}
    expected |= {owner_platform: owner, other_user: foreign, other_platform: foreign}
    by_name = {caller.__name__: caller for caller in API_CALLERS}
    return Row(route, method, expected | {by_name[name]: status for name, status in changes.items()})


def _managed(route: str, method: str = "GET", *, owner: int = 200, foreign: int = 200, **words: Any) -> Row:
    """A /v1 address of the platform as itself: no user's token is enough, whoever's it is."""
    expected: Expected = dict.fromkeys(API_CALLERS, 401) | dict.fromkeys(LIVE, 403)
    return Row(route, method, expected | {own_platform_token: owner, other_platform_token: foreign}, **words)


def _page(
    route: str, method: str = "GET", *, owner: int = 200, other: int = 404, visitor: int = 302, **words: Any
) -> Row:
    """A page of the person who is signed in: others' are not there, visitors sign in first."""
    expected: Expected = {owner_browser: owner, other_browser: other, anonymous: visitor, owner_platform: visitor}
    return Row(route, method, expected, **words)


def _console(route: str, method: str = "GET", *, staff: int = 200, **words: Any) -> Row:
    """A page of Northbank's console: to everybody but its proved staff it is not there, or asks who they are."""
    expected: Expected = {clerk: staff, clerk_without_proof: 303, other_clerk: 404, owner_browser: 404}
    return Row(f"backoffice/<slug:slug>/{route}", method, expected | {anonymous: 302, owner_platform: 302}, **words)


_AT_BANK = "platforms/<uuid:platform_id>/"
_LOOKED_UP = "customers/<uuid:lookup_id>/"

#: Tables of the operator's pages that take an act.
_ACTED_ON = {
    "consents/platform", "consents/operatorproposal", "consents/consent", "consents/report", "identity/user"
}  # fmt: skip


def _operators(route: str, method: str = "GET", *, status: int = 200) -> Row:
    """The operator's: nobody else learns that it is there, and without the second factor it is proved first."""
    expected: Expected = {operator: status, operator_without_proof: 303, owner_browser: 404}
    return Row(route, method, expected | {anonymous: 302, owner_platform: 302})


def _operators_tables() -> Iterator[Row]:
    """Of each table a list and a detail; where there are acts, one without a ticked row changes nothing."""
    for model in site._registry:
        table = f"{model._meta.app_label}/{model._meta.model_name}"
        yield _operators(f"operator/{table}/")
        yield _operators(f"operator/{table}/<str:object_id>/change/")
        if table in _ACTED_ON:
            yield _operators(f"operator/{table}/", "POST")


def _public(route: str, status: int = 200, **words: Any) -> Row:
    return Row(route, "GET", dict.fromkeys({*API_CALLERS, *PAGE_CALLERS}, status), **words)


def _form(**fields: str) -> Callable[[Caller], str]:
    from urllib.parse import urlencode

    return lambda caller: urlencode(fields)


def _authorization_request(caller: Caller) -> str:
    from urllib.parse import urlencode

    return urlencode(
        cast.authorization_query(caller.world.chat, _VERIFIER, scopes=["accounts"], purposes=["account_overview"])
    )


ROWS: list[Row] = [
    # -- the platform API --
    _api("v1/accounts"),
    _api("v1/accounts/<str:account_id>", foreign=404),
    _api("v1/accounts/<str:account_id>/balances", foreign=404),
    _api("v1/accounts/<str:account_id>/transactions", foreign=404),
    _api("v1/transactions/sync"),
    _api("v1/refreshes", "POST", owner=202, foreign=202, wrong_scope=202),  # what is worked out wants fresh data too
    _api("v1/refreshes/<str:refresh_id>", foreign=404, wrong_scope=404),
    # Not customer data: a consent that only waits may be looked at, and the directory read.
    _api(
        "v1/institutions",
        paused_consent=200,
        suspended_consent=200,
        wrong_purpose=200,
        wrong_scope=200,
        own_platform_token=200,
        other_platform_token=200,
    ),
    _api("v1/consent", paused_consent=200, suspended_consent=200, wrong_purpose=200, wrong_scope=200),
    # Ending is always open to whoever holds it.
    _api(
        "v1/consents/<str:consent_id>",
        "DELETE",
        owner=204,
        foreign=404,
        paused_consent=204,
        suspended_consent=204,
        suspended_platform=204,
        wrong_purpose=204,
        wrong_scope=404,  # theirs is another of Alice's
        own_platform_token=204,
        other_platform_token=404,
    ),
    # -- the platform as itself --
    _managed("v1/consents"),
    _managed("v1/consents/<str:consent_id>", foreign=404),
    _managed("v1/events"),
    _managed(
        "v1/events/acknowledgements",
        "POST",
        data=lambda caller: json.dumps({"through": event_cursors.seal(0, caller.member.platform.id)}),
        content_type="application/json",
    ),
    Row(
        "oauth/grants/<str:grant_id>",
        "GET",
        dict.fromkeys(API_CALLERS, 401)
        | dict.fromkeys(LIVE | {expired_consent, revoked_but_tokens_left}, 403)
        | {own_platform_token: 200, other_platform_token: 404},
    ),
    Row(
        "oauth/grants/<str:grant_id>",
        "DELETE",
        dict.fromkeys(API_CALLERS, 401)
        | dict.fromkeys(LIVE | {expired_consent, revoked_but_tokens_left}, 403)
        | {own_platform_token: 204, other_platform_token: 404},
    ),
    # -- what explains it --
    _public("llms.txt"),
    _public("openapi.json"),
    _public("docs/"),
    _public("problems/"),
    _public("problems/<str:code>"),
    _public("livez"),
    _public("readyz"),
    _public("metrics", 401),  # the tests' service has a token for it, which is nobody's here
    _public(".well-known/oauth-authorization-server"),
    _public(".well-known/oauth-protected-resource/v1"),
    _public(".well-known/oauth-protected-resource"),
    # -- the authorization server: tests/gateway/oauth has the tables of codes and tokens --
    Row(
        "oauth/authorize",
        "GET",
        {owner_browser: 303, other_browser: 303, anonymous: 303, owner_platform: 303},
        query=_authorization_request,
    ),
    Row("oauth/token", "POST", dict.fromkeys(API_CALLERS, 401), data=_form(grant_type="refresh_token")),
    Row("oauth/revoke", "POST", dict.fromkeys(API_CALLERS, 401), data=_form(token="x")),
    Row("oauth/introspect", "POST", dict.fromkeys(API_CALLERS, 401), data=_form(token="x")),
    # -- signing in --
    _page("sign-in/", owner=302, other=302, visitor=200),
    _page("sign-in/", "POST", owner=302, other=302, visitor=200, data=_form(login="alice", password="wrong")),
    _page("sign-in/", "PUT", owner=302, other=302, visitor=200),  # Django's form views take it for a POST
    _page("sign-up/", owner=302, other=302, visitor=200),
    _page("sign-up/", "POST", owner=302, other=302, visitor=200, data=_form(username="")),
    _page("sign-up/", "PUT", owner=302, other=302, visitor=200),
    _page("sign-out/", other=200),
    _page("sign-out/", "POST", owner=302, other=302),
    _page("sign-in/inactive/", other=200, visitor=200),
    _page("sign-in/second-factor/", owner=302, other=302),  # no sign-in of theirs has come so far
    _page("sign-in/second-factor/", "POST", owner=302, other=302, data=_form(code="000000")),
    _page("sign-in/passkey/", owner=404, visitor=404),  # there are none where the issuer is a number
    _page("sign-in/passkey/", "POST", owner=404, visitor=404),
    # -- how one signs in: what changes it needs a fresh proof, which these browsers have not given --
    _page("security/", other=200),
    _page("security/history/", other=200),
    _page("security/sessions/end/", "POST", owner=303, other=303),  # each their own
    _page("security/sessions/<uuid:session_id>/end/", "POST", owner=303),
    _page("security/confirm/", other=200),
    _page("security/confirm/", "POST", other=200, data=_form(password="wrong")),
    _page("security/confirm/code/", owner=302, other=302),  # they have no codes: by password
    _page("security/confirm/code/", "POST", owner=302, other=302),
    _page("security/confirm/passkey/", owner=404, other=404),
    _page("security/confirm/passkey/", "POST", owner=404, other=404),
    _page("security/passkeys/", other=200),
    _page("security/passkeys/add/", owner=404, other=404),
    _page("security/passkeys/add/", "POST", owner=404, other=404),
    *(
        _page(f"security/{route}/", method, owner=303, other=303)
        for route in (
            "close",
            "email",
            "password",
            "codes",
            "codes/remove",
            "passkeys/<int:pk>/rename",
            "passkeys/<int:pk>/remove",
            "recovery-codes",
            "recovery-codes/new",
            "recovery-codes/download",
        )
        for method in ("GET", "POST")
    ),
    # -- what one shares --
    _page("", other=200),
    _page("consents/<uuid:consent_id>/"),
    _page("consents/<uuid:consent_id>/stop/"),
    _page("consents/<uuid:consent_id>/stop/", "POST", owner=303),
    _page("consents/<uuid:consent_id>/narrow/"),
    _page("consents/<uuid:consent_id>/narrow/", "POST", owner=422),  # nothing would be left
    _page("consents/<uuid:consent_id>/pause/", owner=303),
    _page("consents/<uuid:consent_id>/pause/", "POST", owner=303),
    _page("consents/<uuid:consent_id>/resume/", owner=303),
    _page("consents/<uuid:consent_id>/resume/", "POST", owner=303),
    _page("consents/<uuid:consent_id>/renew/", owner=303),  # its end is not near
    _page("consents/<uuid:consent_id>/renew/", "POST", owner=303),
    _page("consents/<uuid:consent_id>/report/"),
    _page("consents/<uuid:consent_id>/report/", "POST", owner=422),  # nothing ticked
    _page("consents/<uuid:consent_id>/report/withdraw/", owner=303),
    _page("consents/<uuid:consent_id>/report/withdraw/", "POST", owner=303),
    _page("stop-everything/", other=303),  # Bob shares nothing
    _page("stop-everything/", "POST", owner=303, other=303),
    _page("reads/", other=200),
    _page("reads.csv", other=200),
    _page("reads.json", other=200),
    # -- the links to banks --
    _page("links/", other=200),
    _page("links/<uuid:connection_id>/renew/"),
    _page("links/<uuid:connection_id>/renew/", "POST", owner=502),  # nothing answers at Northbank's address
    _page("links/<uuid:connection_id>/disconnect/"),
    _page("links/<uuid:connection_id>/disconnect/", "POST", owner=303),
    # -- what one was told, and a copy of everything --
    _page("notices/", other=200),
    _page("download/", other=200),
    _page("download/", "POST", owner=303, other=303),
    _page("download/<uuid:job_id>/sluice-data.zip", owner=303),  # to a fresh proof first
    _page("dev/mail", owner=404, visitor=404),  # an embedded instance's alone
    # -- a bank's console: what changes something asks for a reason first --
    _console(""),
    _console("policy/"),
    _console("proposals/"),
    _console("proposals/<uuid:proposal_id>/"),
    _console("proposals/<uuid:proposal_id>/", "POST", staff=303),
    _console("audit/"),
    _console("audit.csv"),
    _console(_AT_BANK),
    _console(f"{_AT_BANK}policy/"),
    _console(_LOOKED_UP),
    *(
        _console(f"{route}/", method, staff=200 if method == "GET" else 422)
        for route in (
            "suspend",
            "stop-scope",
            "customers",
            *(f"{_AT_BANK}{act}" for act in ("suspend", "stop-scope", "withdraw", "merchants")),
            f"{_AT_BANK}merchants/<uuid:merchant_id>/remove",
            *(f"{_LOOKED_UP}consents/<uuid:consent_id>/{act}" for act in ("suspend", "lift", "end")),
        )
        for method in ("GET", "POST")
    ),
    *(
        _console(f"{route}/", method, staff=status)
        for route, status in (
            ("lift", 303),  # nothing is stopped
            (f"{_AT_BANK}lift", 303),
            ("policy/review", 422),  # no terms were sent
            (f"{_AT_BANK}policy/review", 422),
        )
        for method in ("GET", "POST")
    ),
    # -- answering a request --
    _page("connect/<uuid:consent_id>/"),
    _page("connect/<uuid:consent_id>/bank/"),
    _page("connect/<uuid:consent_id>/bank/", "POST", owner=303, data=_form(institution="northbank")),
    _page("connect/<uuid:consent_id>/bank/<slug:slug>/"),
    _page("connect/<uuid:consent_id>/bank/<slug:slug>/", "POST", owner=502),  # nothing answers at Northbank's address
    _page("connect/<uuid:consent_id>/scopes/"),
    _page("connect/<uuid:consent_id>/scopes/", "POST", owner=303),
    _page("connect/<uuid:consent_id>/duration/"),
    _page("connect/<uuid:consent_id>/duration/", "POST", owner=303, data=_form(duration="30")),
    _page("connect/<uuid:consent_id>/accounts/"),
    _page("connect/<uuid:consent_id>/accounts/", "POST", owner=422),  # nothing ticked
    _page("connect/<uuid:consent_id>/confirm/", owner=303),  # nothing ticked yet: back to the accounts
    _page("connect/<uuid:consent_id>/confirm/", "POST", owner=303),
    _page("connect/<uuid:consent_id>/refuse/", owner=303),
    _page("connect/<uuid:consent_id>/refuse/", "POST", owner=303),
    _page("connect/<uuid:consent_id>/done/", owner=303),
    _page("connect/<uuid:consent_id>/return/", owner=303),
    _page("connect/<uuid:consent_id>/return/", "POST", owner=303),
    # -- the operator's pages --
    _operators("operator/"),
    *_operators_tables(),
    _operators("operator/consents/auditentry/verify/", "POST", status=303),
    # Says that nothing was linked, to everybody alike: nobody here has a state of their own.
    _page("banks/<slug:slug>/callback", owner=400, other=400, visitor=400),
]  # fmt: skip

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


# -- the resolver -----------------------------------------------------------------------------------------------------


def _routes(patterns: list[Any] | None = None, prefix: str = "") -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        at = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, at)
        else:
            assert isinstance(pattern, URLPattern)
            yield at


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert set(_routes()) == {row.route for row in ROWS}


def test_no_route_stands_twice() -> None:
    routes = list(_routes())

    assert len(routes) == len(set(routes))
    assert len({(row.route, row.method) for row in ROWS}) == len(ROWS)


def test_nothing_of_the_toolkit_or_of_an_admin_is_mounted() -> None:
    """Its views let any user register a client, and skip consent by a parameter of the address. Of the admin only what
    gateway.operator.site lets through is there, behind its own door."""
    from django.urls.resolvers import RoutePattern

    def views(patterns: list[Any]) -> Iterator[str]:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                yield from views(pattern.url_patterns)
            else:
                assert isinstance(pattern.pattern, RoutePattern), "a pattern the matrix cannot read"
                yield pattern.callback.__module__

    mounted = set(views(get_resolver().url_patterns))

    assert not [name for name in mounted if name.startswith(("oauth2_provider", "django.contrib.admin"))]


# -- the matrix -------------------------------------------------------------------------------------------------------


def _path(row: Row, caller: Caller) -> str:
    """The address, with Alice's ids as this caller's platform would see them."""
    world = caller.world
    if row.route.startswith(("v1/", "oauth/grants")):
        platform = caller.member.platform.id
        consent = world.alices.consent if "consents/" in row.route or "grants/" in row.route else None
        values = {
            "<str:account_id>": pairwise.encode("acc", platform, world.account.id),
            "<str:consent_id>": consent and pairwise.encode("con", platform, consent.id),
            "<str:grant_id>": consent and pairwise.encode("con", platform, consent.id),
            "<str:refresh_id>": "refresh_id>" in row.route and pairwise.encode("rfr", platform, world.refresh.id),
        }
    else:
        consent = world.waiting_for(caller.client) if row.route.startswith("connect/") else world.consent
        values = {
            "<uuid:consent_id>": str(consent.id),
            "<uuid:connection_id>": str(world.link.id),
            "<slug:slug>": "northbank",
            "<str:object_id>": "<str:object_id>" in row.route and world.operated(row.route.split("/")[1:3]),
            "<uuid:session_id>": str(world.elsewhere.id) if "session_id" in row.route else "",
            "<int:pk>": str(world.passkey.pk) if "<int:pk>" in row.route else "",
            "<uuid:job_id>": "job_id>" in row.route and str(world.copy.id),
            "<str:code>": "consent_revoked",
            "<uuid:platform_id>": str(world.chat.platform.id),
        }
        for name in ("merchant", "proposal", "lookup"):
            if f"<uuid:{name}_id>" in row.route:
                values[f"<uuid:{name}_id>"] = str(world.asked_at_the_bank(name).id)
    path = row.route
    for name, value in values.items():
        path = path.replace(name, str(value))
    assert "<" not in path
    return f"/{path}"


def _ask(row: Row, caller: Caller, method: str | None = None) -> Any:
    path = _path(row, caller)
    query = row.query(caller)
    return caller.send(method or row.method, path, row.data(caller), content_type=row.content_type, QUERY_STRING=query)


@pytest.fixture(scope="module")
def beginning(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """With Chat's tokens for Alice, which most callers hold."""

    def make() -> World:
        world = World()
        assert world.alices
        return world

    with kept(django_db_blocker, make) as world:
        yield world


@pytest.fixture
def world(beginning: World, db: None) -> World:
    """A copy, so that no test sees what another did to its rows."""
    return deepcopy(beginning)


@pytest.mark.parametrize(
    ("row", "who"),
    [
        pytest.param(row, who, id=f"{row} {who.__name__}")
        for row in ROWS
        for who in (API_CALLERS if set(API_CALLERS) <= set(row.expected) else row.expected)
    ],
)
def test_t1_each_caller_gets_the_answer_of_the_row(world: World, row: Row, who: Callable[[World], Caller]) -> None:
    caller = who(world)

    answer = _ask(row, caller)

    assert answer.status_code == row.expected[who], answer.content[:500]
    if who not in OWNERS:
        assert MARK not in answer.getvalue().decode()
    if answer.status_code == 401 and row.route.startswith("v1/"):
        assert answer["WWW-Authenticate"].startswith("Bearer")
    if row.route.startswith(_UNCACHED):
        assert "no-store" in answer["Cache-Control"]
    if who is anonymous and answer.status_code == 302:
        assert answer["Location"].startswith("/sign-in/"), answer["Location"]


_UNCACHED = ("v1/", "oauth/")


@pytest.mark.parametrize("route", sorted({row.route for row in ROWS if row.route.startswith(_UNCACHED)}))
def test_t25_no_cache_keeps_an_answer_of_the_api_or_of_the_authorization_server(world: World, route: str) -> None:
    """Not even a refusal, nor a method that is not served; what each caller of a row gets is looked at with the row.

    What no cache keeps, no cache can hand to somebody else: `Vary` has nothing to tell apart.
    """
    row = next(row for row in ROWS if row.route == route)
    for method in (*METHODS, "OPTIONS", "HEAD"):
        answer = _ask(row, anonymous(world), method)

        assert "no-store" in answer["Cache-Control"], method


_WITH_NAMES = ("v1/accounts", "v1/transactions")


@pytest.mark.parametrize("route", sorted(row.route for row in ROWS if row.route.startswith(_WITH_NAMES)))
def test_the_owners_platform_does_see_what_others_must_not(world: World, route: str) -> None:
    """Or the mark would be missing from their answers for the wrong reason."""
    row = next(row for row in ROWS if row.route == route)

    answer = _ask(row, owner_platform(world))

    assert answer.status_code == 200
    if not route.endswith("/balances"):
        assert MARK in answer.content.decode()


@pytest.mark.parametrize("who", [other_user, other_platform, other_platform_token])
def test_a_foreign_id_and_one_that_never_existed_are_answered_alike(
    world: World, who: Callable[[World], Caller]
) -> None:
    caller = who(world)
    for row in (row for row in ROWS if row.expected.get(who) == 404 and "str:" in row.route):
        foreign = _ask(row, caller)
        path = _path(row, caller).rsplit("_", 1)[0] + "_" + "0" * 32 + row.route.partition(">")[2]
        absent = caller.send(row.method, path)

        told = [
            {name: value for name, value in answer.json().items() if name not in ("instance", "request_id")}
            for answer in (foreign, absent)
        ]
        assert told[0] == told[1]


def _who_gets_past_the_door(world: World, row: Row) -> Caller:
    if row.route.startswith("operator/"):
        return operator(world)
    if row.route.startswith(("v1/", "oauth/grants")):
        return owner_platform(world) if row.expected[owner_platform] < 400 else own_platform_token(world)
    if clerk in row.expected:
        return clerk(world)
    # Whoever is signed in is sent on from the sign-in pages, whatever the method.
    return anonymous(world) if row.expected[anonymous] == 200 else owner_browser(world)


@pytest.mark.parametrize("route", sorted({row.route for row in ROWS}))
def test_a_method_without_a_row_is_not_allowed_even_for_the_owner(world: World, route: str) -> None:
    rows = {row.method: row for row in ROWS if row.route == route}
    some = next(iter(rows.values()))
    for method in METHODS:
        if method in rows:
            continue
        caller = _who_gets_past_the_door(world, some)

        answer = _ask(some, caller, method)

        assert answer.status_code == 405, (method, answer.status_code)
        assert method not in answer["Allow"]


def test_purposes_of_the_cast_cover_the_widest_consent() -> None:
    """The matrix reads with everything released; a purpose that shrank would make its rows prove less."""
    from consents.scopes import PURPOSE_SCOPES

    assert PURPOSE_SCOPES[Purpose.ACCOUNT_OVERVIEW] >= set(SCOPES)
