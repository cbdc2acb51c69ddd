"""Banks, the links to them, and what they told us. Customer tables are governed: see banks.governed.

`__str__` is the id alone everywhere: Django's admin and error pages print it.
"""

from banks.models.accounts import Account, Balance, LinkMethod, LinkSuggestion, QuarantinedRow, RawPayload, Transaction
from banks.models.connections import Connection, LinkAttempt, UpstreamEnding, UpstreamEndingStatus
from banks.models.findings import Finding, FindingKind
from banks.models.institutions import Institution, InstitutionGate
from banks.models.jobs import LIVE_JOBS, FetchRecord, RefreshRequest, SyncJob, SyncJobStatus, SyncTrigger

__all__ = [
    "LIVE_JOBS",
    "Account",
    "Balance",
    "Connection",
    "FetchRecord",
    "Finding",
    "FindingKind",
    "Institution",
    "InstitutionGate",
    "LinkAttempt",
    "LinkMethod",
    "LinkSuggestion",
    "QuarantinedRow",
    "RawPayload",
    "RefreshRequest",
    "SyncJob",
    "SyncJobStatus",
    "SyncTrigger",
    "Transaction",
    "UpstreamEnding",
    "UpstreamEndingStatus",
]
