"""How much there is to do and what each bank takes, in numbers: for the operator's metrics. No id, no customer data."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from banks import leases
from banks.admission import BreakerStatus
from banks.models import (
    Finding,
    Institution,
    InstitutionGate,
    SyncJob,
    SyncJobStatus,
    UpstreamEnding,
    UpstreamEndingStatus,
)

ENDED = (SyncJobStatus.COMMITTED, SyncJobStatus.FAILED, SyncJobStatus.CANCELLED)
BREAKER_STATES = tuple(state.value for state in BreakerStatus)
ENDED_WITHIN = timedelta(minutes=5)
#: Jobs that ended lately were due not much earlier; by that there is an index.
_DUE_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLoad:
    """`bank`: slug. `calls`, `failures`: of the breaker's current window."""

    bank: str
    breaker: BreakerStatus
    calls: int
    failures: int
    jobs_running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`ended`: how many jobs came to which status and code within ENDED_WITHIN; `findings`: open ones by kind."""

    jobs_due: int
    jobs_running: int
    oldest_due_at: datetime | None
    endings_waiting: int
    ended: dict[tuple[str, str], int]
    findings: dict[str, int]
    banks: list[BankLoad]


def workload(*, now: datetime) -> Workload:
    due = SyncJob.objects.filter(leases.claimable(now)).aggregate(jobs=Count("id"), oldest=Min("next_attempt_at"))
    running = dict(
        SyncJob.objects.filter(status=SyncJobStatus.LEASED, lease_until__gte=now)
        .values_list("institution_id")
        .annotate(jobs=Count("id"))
        .order_by()
    )
    waiting = Q(status__in=(UpstreamEndingStatus.PENDING, UpstreamEndingStatus.LEASED), next_attempt_at__lte=now)
    return Workload(
        jobs_due=due["jobs"],
        jobs_running=sum(running.values()),
        oldest_due_at=due["oldest"],
        endings_waiting=UpstreamEnding.objects.filter(waiting).count(),
        ended=_ended(now),
        findings=dict(
            Finding.objects.filter(closed_at=None).values_list("kind").annotate(open=Count("id")).order_by("kind")
        ),
        banks=_banks(running),
    )


def _ended(now: datetime) -> dict[tuple[str, str], int]:
    rows = (
        SyncJob.objects.filter(status__in=ENDED, next_attempt_at__gte=now - _DUE_WITHIN)
        .filter(finished_at__gte=now - ENDED_WITHIN)
        .values_list("status", "error_code")
        .annotate(jobs=Count("id"))
        .order_by("status", "error_code")
    )
    return {(status, code): jobs for status, code, jobs in rows}


def _banks(running: dict[object, int]) -> list[BankLoad]:
    gates = {gate.institution_id: gate for gate in InstitutionGate.objects.all()}
    loads: list[BankLoad] = []
    for institution_id, slug in Institution.objects.order_by("slug").values_list("id", "slug"):
        gate = gates.get(institution_id)
        loads.append(
            BankLoad(
                bank=slug,
                breaker=BreakerStatus.CLOSED if gate is None else BreakerStatus(gate.breaker),
                calls=0 if gate is None else gate.calls,
                failures=0 if gate is None else gate.failures,
                jobs_running=running.get(institution_id, 0),
            )
        )
    return loads
