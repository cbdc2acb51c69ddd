"""The first page: who is active at this bank, what they read, what was refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from banks.directory import InstitutionCard
from consents import clock, policies
from consents.models import BankPolicy, Platform
from consents.states import PlatformStatus, PolicyStatus
from gateway import charts
from gateway.backoffice import figures, pages, wording
from gateway.backoffice.figures import Activity
from gateway.identity.staff import StaffRequest, bank_staff


@dataclass(frozen=True, slots=True)
class Force:
    """What holds for one platform. `source`: whose policy it is, in words."""

    status: PolicyStatus | None  #: None: no policy, so nothing is served
    source: str

    @property
    def label(self) -> str:
        return "No policy: nothing is served" if self.status is None else wording.POLICY_STATUS[self.status][0]

    @property
    def icon(self) -> str:
        return "ended" if self.status is None else wording.POLICY_STATUS[self.status][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One platform on the list."""

    platform: Platform
    activity: Activity
    scopes: list[str]
    force: Force
    refused: list[tuple[str, int]]

    @property
    def refused_total(self) -> int:
        return sum(calls for _, calls in self.refused)


@require_safe
@bank_staff
def overview(request: StaffRequest, institution: InstitutionCard) -> HttpResponse:
    """GET takes `q`, part of a platform's name, or `all`: with either, platforms without a consent are listed too."""
    now = clock.now()
    query = request.GET.get("q", "").strip()[:100]
    is_all = not query and bool(request.GET.get("all"))
    activity = figures.by_platform(institution.id, now=now)
    refused = figures.refused_by_platform(institution.id, since=now - timedelta(hours=figures.REFUSED_HOURS))
    signed = policies.latest_versions(institution.id)
    active = {*activity, *refused}
    wanted = [one for one in pages.platforms() if is_all or _is_wanted(one, query, active)]
    general = signed.get(None)
    return pages.shown(
        request,
        institution,
        "overview.html",
        {
            "rows": [_row(one, activity.get(one.id, Activity()), refused.get(one.id, {}), signed) for one in wanted],
            "query": query,
            "is_all": is_all,
            "held": figures.held(institution.id, now=now),
            "general": force_of(signed, None),
            "is_stopped": general is not None and general.status != PolicyStatus.ALLOW,
            "stopped": stop_of(institution, general, None),
            "charts": drawn(institution.id, now=now),
        },
    )


def _is_wanted(platform: Platform, query: str, active: set[UUID]) -> bool:
    if not query:
        return platform.id in active
    return query.casefold() in f"{platform.name} {platform.legal_name}".casefold()


def _row(
    platform: Platform, activity: Activity, refused: Mapping[str, int], signed: dict[UUID | None, BankPolicy]
) -> Row:
    return Row(
        platform=platform,
        activity=activity,
        scopes=wording.scopes(activity.scopes),
        force=force_of(signed, platform),
        refused=refused_words(refused),
    )


def refused_words(refused: Mapping[str, int]) -> list[tuple[str, int]]:
    """(reason in words, calls), the most frequent first."""
    return sorted(
        ((wording.REFUSED.get(code, code), calls) for code, calls in refused.items()), key=lambda one: -one[1]
    )


def force_of(signed: Mapping[UUID | None, BankPolicy], platform: Platform | None) -> Force:
    """Of a platform, or (None) of every platform without a policy of its own."""
    general, own = signed.get(None), signed.get(platform.id) if platform else None
    if platform is not None and platform.status != PlatformStatus.ACTIVE:
        return Force(None, "not active at Sluice")
    if general is not None and general.status != PolicyStatus.ALLOW:
        return Force(PolicyStatus(general.status), "the whole bank")
    if own is not None:
        return Force(PolicyStatus(own.status), "its own policy")
    return Force(None if general is None else PolicyStatus(general.status), "the general policy")


@dataclass(frozen=True, slots=True)
class StopShown:
    """A stop in force: since when, by whom, why, and how many calls it has refused."""

    at: datetime
    reason: str
    by: str
    refused: int


def stop_of(institution: InstitutionCard, policy: BankPolicy | None, platform_id: UUID | None) -> StopShown | None:
    """None while the policy allows. The stop began with the first of the versions that stop in a row."""
    if policy is None or policy.status == PolicyStatus.ALLOW:
        return None
    first = policy
    for version in policies.versions(institution.id, policy.platform_id):
        if version.status == PolicyStatus.ALLOW:
            break
        first = version
    names = pages.colleagues(institution, (UUID(one) for one in first.approved_by))
    return StopShown(
        at=first.created_at,
        reason=wording.REASONS.get(first.reason_code, ""),
        by=pages.signers(names, first.approved_by),
        refused=figures.refused_since(institution.id, first.created_at, platform_id=platform_id),
    )


def drawn(institution_id: UUID, *, now: datetime, platform_id: UUID | None = None) -> list[object]:
    """Reads a day and refused calls an hour, as charts."""
    reads = figures.reads_per_day(institution_id, now=now, platform_id=platform_id)
    refused = figures.refused_per_hour(institution_id, now=now, platform_id=platform_id)
    return [
        charts.bars(
            f"Reads a day, last {figures.READS_DAYS} days",
            [(f"{day:%-d %b}", count) for day, count in reads],
            unit="reads",
        ),
        charts.bars(
            f"Refused calls an hour, last {figures.REFUSED_HOURS} hours",
            [(f"{hour:%-d %b, %H:00}", count) for hour, count in refused],
            unit="refused calls",
        ),
    ]
