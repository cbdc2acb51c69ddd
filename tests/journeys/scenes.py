"""Who is there on the pages that are looked at, and what they have. Each part is made when a page first asks for it."""

from datetime import timedelta
from functools import cached_property
from uuid import UUID

from django.conf import settings
from django.test import Client

from banks.models import Connection, Institution, LinkAttempt
from consents import clock, lifecycle, reports
from consents.models import Consent, ConsentAccount, CustomerLookup
from consents.scopes import LocationPrecision, Scope
from consents.states import ReportCode
from gateway.identity.models import SecurityRecord, SecurityRecordKind, User, UserSession
from gateway.notify import tasks as notify
from gateway.portal.download import jobs
from gateway.portal.models import ExportJob
from gateway.portal.tasks import make_export
from tests.gateway.portal.conftest import VERIFIER, read_by_platform, show_accounts
from tests.journeys.staff_scenes import Console, Tables
from tests.support import cast, factors
from tests.support.cast import Member

_SCOPES = (Scope.ACCOUNTS, Scope.BALANCES, Scope.TRANSACTIONS, Scope.MERCHANTS, Scope.LOCATIONS)


class Scene:
    """Alice shares and is asked, Charlie has nothing, Dora guards her account; a bank has its console."""

    @cached_property
    def alice(self) -> User:
        person = cast.alice()
        person.email = "alice@mail.example"
        person.save()
        return person

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
        """She has just given her password."""
        return factors.browser_of(self.alice)

    @cached_property
    def charlies_browser(self) -> Client:
        return factors.browser_of(self.charlie)

    def shared(self) -> Consent:
        return cast.authorised_consent(
            self.alice,
            self.chat.platform,
            _SCOPES,
            accounts=cast.linked_accounts(self.alice, self.bank),
            location_precision=LocationPrecision.STORE,
        )

    @cached_property
    def live(self) -> Consent:
        """Read from for a month, more often than one page tells, and looked at by the bank."""
        found = self.shared()
        for hours in range(0, 24 * 25, 31):
            record = "balance" if hours % 3 else "transaction"
            read_by_platform(found, days_ago=hours / 24, rows=hours % 11, record=record, institution_id=self.bank.id)
        CustomerLookup.objects.create(
            user_id=self.alice.id,
            institution_id=self.bank.id,
            reason_code="COMPLAINT",
            request_id="req_of_bank_staff",
            looked_up_at=clock.now(),
        )
        return found

    @cached_property
    def ending(self) -> Consent:
        """So near its end that it may be renewed."""
        found = self.shared()
        Consent.objects.filter(id=found.id).update(expires_at=clock.now() + timedelta(days=20))
        return found

    @cached_property
    def ended(self) -> Consent:
        return cast.revoke(cast.authorised_consent(self.alice, self.chat.platform))

    @cached_property
    def paused(self) -> Consent:
        found = self.shared()
        return lifecycle.pause(consent_id=found.id, user_id=self.alice.id, actor=cast.BY_USER, now=clock.now())

    @cached_property
    def reported(self) -> Consent:
        """And so on hold."""
        found, by_alice = self.shared(), {"user_id": self.alice.id, "actor": cast.BY_USER}
        reports.report(consent_id=found.id, code=ReportCode.TOO_OFTEN, now=clock.now(), **by_alice)
        return found

    @cached_property
    def many(self) -> Client:
        """Alice's browser, now that so many consents of hers have ended that the list can be searched."""
        for _ in range(6):
            cast.revoke(cast.authorised_consent(self.alice, self.chat.platform))
        return self.alices_browser

    @cached_property
    def link(self) -> UUID:
        """Of `live`, to the bank."""
        return ConsentAccount.objects.filter(consent=self.live).values_list("connection_id", flat=True)[0]

    @cached_property
    def waiting_link(self) -> UUID:
        """The same, since it waits for a login."""
        Connection.objects.filter(id=self.link).update(status="REAUTH_REQUIRED")
        return self.link

    @cached_property
    def unlinked(self) -> Client:
        """Alice's browser, now that a link of hers is over."""
        Connection.objects.filter(id=self.link).update(status="REVOKED", unneeded_at=clock.now())
        return self.alices_browser

    @cached_property
    def told(self) -> Client:
        """Alice's browser, now that all that has happened was mailed to her."""
        assert self.live and self.ended and settings.EMBEDDED
        notify.collect()
        notify.send()
        return self.alices_browser

    @cached_property
    def copying(self) -> Client:
        """Alice's browser, while a copy of all that is hers is made."""
        jobs.request(self.alice, actor=cast.BY_USER, now=clock.now())
        return self.alices_browser

    @cached_property
    def copied(self) -> Client:
        make_export(str(ExportJob.objects.get(user=self.alice).id))
        return self.alices_browser

    # -- what is asked of Alice --

    @cached_property
    def asked(self) -> Consent:
        """Lodged by the real endpoint, wide enough that each part of the pages has something to show; the bank has
        shown its accounts to Alice's browser."""
        found = cast.ask(
            self.alice,
            self.chat,
            VERIFIER,
            scopes=_SCOPES,
            optional_scopes=["locations"],
            location_precision="store",
            purposes=["account_overview"],
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

    # -- how Dora signs in --

    @cached_property
    def dora(self) -> User:
        """Has one-time codes, recovery codes and a passkey, another browser and a history."""
        person, now = cast.person("dora"), clock.now()
        factors.set_up_codes(person)
        factors.add_recovery_codes(person)
        UserSession.objects.create(user=person, started_at=now, last_seen_at=now)
        for hours, kind in enumerate(SecurityRecordKind):
            SecurityRecord.objects.create(user=person, kind=kind, occurred_at=now - timedelta(hours=hours))
        return person

    @cached_property
    def passkey(self) -> int:
        return factors.add_passkey(self.dora, "Work laptop")

    @cached_property
    def doras_browser(self) -> Client:
        assert self.passkey
        return factors.proved(self.dora)

    @cached_property
    def half_way(self) -> Client:
        """A browser in which Dora's password was right."""
        assert self.passkey
        browser = Client()
        browser.post("/sign-in/", {"login": self.dora.username, "password": cast.PASSWORD})
        return browser

    # -- the faces of staff --

    @cached_property
    def console(self) -> Console:
        return Console()

    @cached_property
    def tables(self) -> Tables:
        return Tables()
