"""From rows to the facts that decide() takes. Reads; decides nothing."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from consents.models import BankPolicy, Consent, ConsentAccount
from consents.models.platform import PlatformProfile
from consents.policy_facts import ConsentFacts, PolicyFacts
from consents.policy_terms import StepUp
from consents.scopes import DurationType, LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import ConsentStatus, PolicyStatus


def consent_facts(consent: Consent) -> ConsentFacts:
    """Facts of a consent loaded with user and platform. An unknown word raises ValueError: never a wider right."""
    return ConsentFacts(
        id=consent.id,
        user_id=consent.user_id,
        user_active=consent.user.is_active,
        platform_id=consent.platform_id,
        platform_uses_fapi2=consent.platform.profile == PlatformProfile.FAPI2,
        status=ConsentStatus(consent.status),
        scopes=frozenset(Scope(s) for s in consent.scopes),
        purposes=frozenset(Purpose(p) for p in consent.purposes),
        history_from=consent.history_from,
        location_precision=_precision(consent.location_precision),
        on_platform_only=consent.on_platform_only,
        hidden_groups=frozenset(SensitiveGroup(g) for g in consent.hidden_groups),
        authorised_at=consent.authorised_at,
        expires_at=consent.expires_at,
        is_one_time=consent.duration_type == DurationType.ONE_TIME,
    )


def policies_in_force(institution_ids: Iterable[UUID], platform_id: UUID, *, now: datetime) -> dict[UUID, PolicyFacts]:
    """Per institution the policy in force for this platform: its own before the general one, the newest of each."""
    own, general = _in_force(institution_ids, platform_id, now)
    return {
        institution_id: _policy_facts(row, general.get(institution_id))
        for institution_id, row in {**general, **own}.items()
    }


def step_ups_in_force(institution_ids: Iterable[UUID], platform_id: UUID, *, now: datetime) -> dict[UUID, StepUp]:
    """Per institution with a policy in force for this platform: what proves the person before a link is shared."""
    own, general = _in_force(institution_ids, platform_id, now)
    return {institution_id: StepUp(row.step_up) for institution_id, row in {**general, **own}.items()}


def _in_force(
    institution_ids: Iterable[UUID], platform_id: UUID, now: datetime
) -> tuple[dict[UUID, BankPolicy], dict[UUID, BankPolicy]]:
    """The newest of the platform's own, and of the general ones."""
    rows = (
        BankPolicy.objects.filter(institution_id__in=list(institution_ids), effective_from__lte=now)
        .filter(Q(platform_id=platform_id) | Q(platform_id=None))
        .order_by("version")
    )
    own: dict[UUID, BankPolicy] = {}
    general: dict[UUID, BankPolicy] = {}
    for row in rows:
        (general if row.platform_id is None else own)[row.institution_id] = row
    return own, general


def policy_facts(own: BankPolicy | None, general: BankPolicy | None) -> PolicyFacts | None:
    """What holds for a platform with these two of one bank, signed or only thought of."""
    row = own or general
    return None if row is None else _policy_facts(row, general)


def consent_accounts(consent_id: UUID) -> list[ConsentAccount]:
    return list(ConsentAccount.objects.filter(consent_id=consent_id).order_by("account_id"))


def consents_accounts(consent_ids: Collection[UUID]) -> dict[UUID, list[ConsentAccount]]:
    """The same of many consents, by consent."""
    found: dict[UUID, list[ConsentAccount]] = {}
    for row in ConsentAccount.objects.filter(consent_id__in=consent_ids).order_by("account_id"):
        found.setdefault(row.consent_id, []).append(row)
    return found


def _policy_facts(row: BankPolicy, general: BankPolicy | None) -> PolicyFacts:
    # A bank that stops everyone stops this platform too, whatever its own policy says.
    stopped = general is not None and general.status != PolicyStatus.ALLOW
    return PolicyFacts(
        status=PolicyStatus(general.status if general is not None and stopped else row.status),
        scopes=frozenset(Scope(s) for s in row.scopes),
        purposes=frozenset(Purpose(p) for p in row.purposes),
        history_days_max=row.history_days_max,
        duration_days_max=row.duration_days_max,
        location_precision=_precision(row.location_precision),
        on_platform_only=row.on_platform_only,
        hidden_groups=frozenset(SensitiveGroup(g) for g in row.hidden_groups),
        requires_attended=row.requires_attended,
        accepts_attestation=row.accepts_attestation,
        requires_fapi2=row.requires_fapi2,
    )


def _precision(value: str | None) -> LocationPrecision | None:
    return None if value is None else LocationPrecision(value)
