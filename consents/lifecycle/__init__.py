"""The only writers of Consent. Every change is update-where-status-was, audited and published in one transaction.

Locks are taken in the order consent (by id), connection, account: these functions take the first of them.
"""

from consents.lifecycle.amending import ONE_TIME_USE, begin_use, narrow, renew
from consents.lifecycle.asking import (
    AWAITING_MAX,
    AccountChoice,
    Disclosure,
    as_if_authorised,
    authorise,
    reject,
    request,
)
from consents.lifecycle.at_banks import lift_accounts, revoke_accounts, suspend_accounts
from consents.lifecycle.ending import announce_expiring, expire_due, reminded_days, revoke, revoke_all
from consents.lifecycle.holding import lift, pause, resume, suspend
from consents.lifecycle.narrower import Narrower
from consents.lifecycle.unlinking import leave_connection
from consents.states import ONE_TIME_WINDOW

__all__ = [
    "AWAITING_MAX",
    "ONE_TIME_USE",
    "ONE_TIME_WINDOW",
    "AccountChoice",
    "Disclosure",
    "Narrower",
    "announce_expiring",
    "as_if_authorised",
    "authorise",
    "begin_use",
    "expire_due",
    "leave_connection",
    "lift",
    "lift_accounts",
    "narrow",
    "pause",
    "reject",
    "reminded_days",
    "renew",
    "request",
    "resume",
    "revoke",
    "revoke_accounts",
    "revoke_all",
    "suspend",
    "suspend_accounts",
]
