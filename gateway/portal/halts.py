"""Why a live consent is not served right now, and who can change it. Asks decide(); has no rule of its own."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from banks import authority
from consents.denials import Denial, DenialCode
from consents.facts import consent_facts
from consents.models import BankPolicy, Consent, ConsentAccount
from consents.policy import decide
from consents.policy_facts import Slice
from consents.reports import REPORTED
from consents.scopes import Presence, Purpose
from consents.states import ConsentAccountStatus, ConsentStatus, Initiator, PlatformStatus, PolicyStatus
from gateway.portal import sharing_words
from gateway.portal.sharing_words import Halt

#: The bank's own hand, where it can be named.
_BY_BANK = frozenset({DenialCode.ACCOUNTS_SUSPENDED, DenialCode.POLICY_SUSPENDED, DenialCode.POLICY_BLOCKED})


@dataclass(frozen=True, slots=True)
class Halted:
    """`is_whole`: nothing is served at all; else the other banks go on."""

    halts: tuple[Halt, ...] = ()
    is_whole: bool = False


SERVED = Halted()


def is_reported(consent: Consent) -> bool:
    """On hold because the user said that something looks wrong."""
    return (
        consent.status == ConsentStatus.SUSPENDED
        and consent.status_reason == REPORTED
        and consent.status_initiator == Initiator.USER
    )


def halted(consent: Consent, bank_names: Mapping[UUID, str], *, now: datetime) -> Halted:
    """Of a live consent, loaded with user and platform. None of its banks says no: SERVED."""
    if is_reported(consent):
        return Halted((sharing_words.BY_REPORT,), is_whole=True)
    slices = authority.slices_of(consent, now=now)
    denials = {part.institution_id: _denial(consent, [part], now) for part in slices}
    refused = {bank: denial for bank, denial in denials.items() if denial is not None}
    whole = _denial(consent, slices, now)
    if whole is not None:
        # Where the banks say different things, each is told.
        told = set(refused.values()) or {whole}
        if len(told) == 1:
            return Halted((_halt(whole, consent, bank_names, refused),), is_whole=True)
    return Halted(
        tuple(_halt(denial, consent, bank_names, [bank]) for bank, denial in refused.items()),
        is_whole=whole is not None,
    )


def suspects(consents: Collection[Consent], rows: Iterable[ConsentAccount]) -> set[UUID]:
    """Of these live consents, those that may be halted by a person or a bank: only they are worth asking about."""
    rows = list(rows)
    found = {
        consent.id
        for consent in consents
        if consent.status != ConsentStatus.AUTHORISED or consent.platform.status != PlatformStatus.ACTIVE
    }
    found |= {row.consent_id for row in rows if row.status == ConsentAccountStatus.SUSPENDED}
    stops = BankPolicy.objects.filter(institution_id__in={row.institution_id for row in rows})
    stopped = set(stops.exclude(status=PolicyStatus.ALLOW).values_list("institution_id", "platform_id"))
    platforms = {consent.id: consent.platform_id for consent in consents}
    return found | {
        row.consent_id
        for row in rows
        if {(row.institution_id, None), (row.institution_id, platforms.get(row.consent_id))} & stopped
    }


def _denial(consent: Consent, slices: list[Slice], now: datetime) -> Denial | None:
    """With the user there, for the purpose that opens most: what is refused even then."""
    facts, platform = consent_facts(consent), PlatformStatus(consent.platform.status)
    answers = [decide(facts, slices, platform, Purpose(name), Presence.PRESENT, now) for name in consent.purposes]
    denials = [answer for answer in answers if isinstance(answer, Denial)]
    return denials[0] if len(denials) == len(answers) else None


def _halt(denial: Denial, consent: Consent, bank_names: Mapping[UUID, str], banks: Iterable[UUID]) -> Halt:
    if denial.code in _BY_BANK:
        return sharing_words.bank_holds(" and ".join(sorted(bank_names.get(bank, "your bank") for bank in banks)))
    return sharing_words.halt(denial.code, denial.owner, consent.platform.name)
