"""What a bank's clerk and the operator see: a bank that platforms read from, and a day's rows in every table."""

from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.test import Client

from banks.models import Connection, Institution
from consents import clock, lifecycle, lookups, proposals, stops
from consents.audit import Actor
from consents.models import ApprovedMerchant, Consent, Platform, ReadCount, RefusedCount
from consents.reasons import LookupReason, StopReason
from consents.scopes import Scope
from consents.states import Initiator
from gateway.identity.models import User
from gateway.operator.site import site
from tests.gateway.backoffice.conftest import account
from tests.support import cast, everything, factors

#: As the form of a policy sends them.
_TERMS = (
    ("scopes", "accounts"), ("scopes", "balances"), ("purposes", "account_overview"), ("history_days_max", "30"),
    ("location_precision", "none"), ("step_up", "bank"), ("profile", "standard"),
)  # fmt: skip


def terms(base_version: int) -> str:
    """The query of a review: narrower than what holds, made from this version of it."""
    return f"?{urlencode([*_TERMS, ('base_version', base_version)])}"


class Console:
    """A bank's, in the browser of its clerk, who has just proved who they are."""

    @cached_property
    def bank(self) -> Institution:
        bank = cast.institution()
        Institution.objects.filter(id=bank.id).update(name="First Northern Bank")
        cast.permissive_policy(bank)
        return bank

    @cached_property
    def clerk(self) -> User:
        return factors.clerk(self.bank)

    @cached_property
    def browser(self) -> Client:
        """Nothing is shared so far."""
        return factors.proved(self.clerk)

    @cached_property
    def busy(self) -> Client:
        """The same; three platforms are in use, with a month of reads and some refused calls."""
        names = ("Example Chat", "Budget Bot", "Voice Assistant with a Long Name")
        found = [_in_use(self.bank, name, number) for number, name in enumerate(names)]
        for number in range(5):
            user = cast.person(f"customer-{number}")
            choices, scopes = [cast.choice(account(user, self.bank))], (Scope.ACCOUNTS, Scope.TRANSACTIONS)
            for row in found[: 1 + number % 3]:
                cast.authorised_consent(user, row, scopes, accounts=choices)
        return self.browser

    @cached_property
    def platform(self) -> UUID:
        assert self.busy
        return Platform.objects.get(name="Example Chat").id

    @cached_property
    def merchant(self) -> UUID:
        """Approved by the bank for Example Chat."""
        common = {"institution_id": self.bank.id, "platform_id": self.platform, "approved_at": clock.now()}
        return ApprovedMerchant.objects.create(merchant_key="5411:example chat", **common).id

    @cached_property
    def proposal(self) -> UUID:
        """The clerk's own: it waits for somebody else."""
        return proposals.propose_withdrawal(
            reason=StopReason.COMPLAINTS, **self._act, platform_id=self.platform, person=self.clerk.id
        ).id

    @cached_property
    def proposal_of_another(self) -> UUID:
        other = factors.clerk(self.bank, "other").id
        return proposals.propose_withdrawal(
            reason=StopReason.COMPLAINTS, **self._act, platform_id=self.platform, person=other
        ).id

    @property
    def _act(self) -> dict[str, Any]:
        by_clerk = Actor(initiator=Initiator.BANK, pseudonym=self.clerk.pseudonym, request_id="req_of_the_clerk")
        return {"institution_id": self.bank.id, "actor": by_clerk, "now": clock.now()}

    @cached_property
    def held(self) -> UUID:
        """A consent to Example Chat."""
        return Consent.objects.filter(platform_id=self.platform).order_by("created_at")[0].id

    @cached_property
    def lookup(self) -> UUID:
        """Of whom `held` is."""
        person = Consent.objects.get(id=self.held).user_id
        (found,) = lookups.record(user_ids=[person], reason=LookupReason.COMPLAINT, **self._act)
        return found.id

    @cached_property
    def suspended(self) -> UUID:
        """`held`, without this bank's accounts for now."""
        lifecycle.suspend_accounts(consent_id=self.held, reason=StopReason.COMPLAINTS, **self._act)
        return self.held

    @cached_property
    def stopped(self) -> UUID:
        """Example Chat, which gets nothing any more."""
        self._stop(self.platform)
        return self.platform

    @cached_property
    def all_stopped(self) -> UUID:
        """The bank, which hands out nothing any more."""
        self._stop(None)
        return self.bank.id

    def _stop(self, platform_id: UUID | None) -> None:
        stops.suspend(reason=StopReason.SECURITY_INCIDENT, platform_id=platform_id, person=self.clerk.id, **self._act)


def _in_use(bank: Institution, name: str, number: int) -> Platform:
    row, now = cast.platform(name.replace(" ", "-").lower()).platform, clock.now()
    Platform.objects.filter(id=row.id).update(
        name=name, legal_name=f"{name} Ltd", merchant_names=[f"{name} Shop", name]
    )
    common = {"institution_id": bank.id, "platform_id": row.id}
    ReadCount.objects.bulk_create(
        ReadCount(
            **common,
            read_on=now.date() - timedelta(days=back),
            shard=0,
            reads=(back * 7 + number * 11) % 23,
            last_read_at=now - timedelta(days=back),
        )
        for back in range(30)
    )
    minute = (now - timedelta(hours=number)).replace(second=0, microsecond=0)
    RefusedCount.objects.create(**common, code="consent_paused", refused_at=minute, calls=3 + number)
    return row


class Tables:
    """The operator's, each with a row."""

    @cached_property
    def browser(self) -> Client:
        everything.happened(everything.shared(everything.person()), Connection.objects.get())
        return factors.proved(factors.operator())

    def row(self, label: str) -> str:
        """The id of one in this table, `application/model`."""
        assert self.browser
        table = next(table for model, table in site._registry.items() if label_of(model) == label)
        return str(table.rows().order_by("pk")[0].pk)  # type: ignore[attr-defined]


def label_of(model: type[Any]) -> str:
    return f"{model._meta.app_label}/{model._meta.model_name}"


#: `application/model` of every table that the operator may see.
LABELS = tuple(label_of(model) for model in site._registry)
