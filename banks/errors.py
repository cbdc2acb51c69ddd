"""What can go wrong between us and a bank, and when looking for what is stored.

A BankError says once what the caller needs: `retry` (Never, After or AskCustomer) and `code`, the stable word that a
SyncJob records. It carries ids and codes only; never a bank's answer, an account number or a name.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Never:
    """Trying again cannot help; someone has to look."""


@dataclass(frozen=True, slots=True)
class After:
    """Try again, no sooner than this many seconds; None: as the caller's back-off says."""

    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class AskCustomer:
    """Only the account holder can mend it, at the bank's own pages."""


Retry = Never | After | AskCustomer


class BankError(Exception):
    """Root of what a connector may raise. `code` is recorded and shown; `reason` is ours, never the bank's text."""

    code: ClassVar[str]
    retry: Retry = Never()

    def __init__(self, reason: str = "", *, upstream_status: int | None = None, retry: Retry | None = None) -> None:
        super().__init__(f"{self.code}: {reason}" if reason else self.code)
        self.reason = reason
        self.upstream_status = upstream_status
        if retry is not None:
            self.retry = retry


class BankUnavailable(BankError):
    """The bank did not answer, or answered 5xx."""

    code = "institution_down"
    retry = After()


class BankTimeout(BankUnavailable):
    """The bank took longer than the total deadline."""

    code = "upstream_timeout"


class BankRateLimited(BankError):
    """429. `retry` holds the bank's Retry-After when it sent a sane one (1 s to 24 h)."""

    code = "upstream_rate_limited"
    retry = After()


class ReauthorisationRequired(BankError):
    """The bank no longer accepts our credentials for this customer (invalid_grant, 401 on the token itself)."""

    code = "reauth_required"
    retry = AskCustomer()


class AuthenticationExpired(ReauthorisationRequired):
    """The bank's customer has to log in again by now (RTS 2018/389 article 10a); it was not asked."""

    code = "authentication_expired"


class HolderChanged(BankError):
    """Another person's accounts answer behind the login. Only a new link, by whoever it belongs to, can mend it."""

    code = "holder_changed"
    retry = AskCustomer()

    def __init__(self, account_id: UUID) -> None:
        super().__init__()
        self.account_id = account_id


class BankConsentEnded(BankError):
    """The consent at the bank was revoked or has expired there."""

    code = "bank_consent_ended"
    retry = AskCustomer()


class BankRefused(BankError):
    """The bank, or the customer at the bank, said no to the authorisation (access_denied and its kin)."""

    code = "bank_refused"
    retry = AskCustomer()


class OtherLogin(BankError):
    """Somebody answered at the bank, but none of the accounts that were linked is theirs."""

    code = "other_login"
    retry = AskCustomer()


class AccountUnavailable(BankError):
    """The bank refuses this one account (401, 403 or 404 on it). Never a reason to end the connection."""

    code = "account_unavailable"


class BankFormatChanged(BankError):
    """The answer is not what the standard says: truncated, malformed, too deep, missing what is mandatory."""

    code = "bank_format_changed"
    retry = After()


class AnswerTooLarge(BankError):
    """More decoded bytes, pages or rows than we accept."""

    code = "answer_too_large"


class PagingBroken(BankError):
    """A next link that leaves the origin, or leads in a circle."""

    code = "paging_broken"


class AddressForbidden(BankError):
    """The address, or what its name resolves to, is not one we may call (SSRF guard)."""

    code = "address_forbidden"


class BankMisconfigured(BankError):
    """Our own registration is wrong (invalid_client and its kin). Never asks the customer."""

    code = "bank_misconfigured"


class NotSupported(BankError):
    """The dialect or the bank does not offer this."""

    code = "not_supported"


class UnknownConnector(BankError):
    """No installed connector has this name."""

    code = "unknown_connector"


class ReadError(Exception):
    """Root of what banks.read may raise beside consents' refusals."""


class AccountNotFound(ReadError):
    """Not there, or not yours: one answer for both."""


class CursorInvalid(ReadError):
    """The cursor was not made by us for this account and these filters."""


class CursorStale(ReadError):
    """The cursor is ours and theirs, but what may be seen has changed since: the list must be begun again."""


class RefreshNotFound(ReadError):
    """Not there, not this consent's, or older than a day: one answer for all."""


class IdempotencyKeyReused(Exception):
    """The key came with another request within the last 24 hours."""


class RefreshRefused(Exception):
    """Nothing can be fetched for now at any bank. `reason` is the code of the one that can be asked again first;
    `next_refresh_after` is when, in `retry_after` seconds."""

    def __init__(self, reason: str, next_refresh_after: datetime, *, now: datetime) -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_refresh_after = next_refresh_after
        self.retry_after = max(1, math.ceil((next_refresh_after - now).total_seconds()))


class LinkError(Exception):
    """Root of what can go wrong while a bank is linked."""


class LinkStateInvalid(LinkError):
    """The callback's state is unknown, used, expired, or belongs to another session, user or bank."""


class LinkFailed(LinkError):
    """The bank said no, or failed, while it was being linked. Nothing was linked; `cause` says what happened.

    `consent_id`: the question it was for.
    """

    def __init__(self, consent_id: UUID, cause: BankError) -> None:
        super().__init__(cause.code)
        self.consent_id = consent_id
        self.cause = cause


class RenewalFailed(LinkError):
    """The same while the user renewed a connection; it is as it was."""

    def __init__(self, connection_id: UUID, cause: BankError) -> None:
        super().__init__(cause.code)
        self.connection_id = connection_id
        self.cause = cause


class ConnectionNotFound(LinkError):
    """Not there, or not yours: one answer for both."""


class NotRenewable(LinkError):
    """Nothing that is shared needs this connection renewed: not yet, or not any more."""


class StaleLease(Exception):
    """Someone else holds this job now; whatever this worker still wanted to write is void."""


class QuotaSpent(Exception):
    """As many fetches of this resource as the bank allows in 24 hours were made; nothing was called. `retry_at`: when
    the oldest of them is 24 hours old."""

    code: ClassVar[str] = "fetch_quota_spent"

    def __init__(self, retry_at: datetime) -> None:
        super().__init__(self.code)
        self.retry_at = retry_at


class InstitutionInvalid(Exception):
    """What was said of a bank cannot work. `field` names the member."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class InstitutionNotFound(LinkError):
    """No such bank, or it cannot be linked now."""
