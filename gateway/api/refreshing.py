"""/v1/refreshes: caller in, JSON-ready dict out. No HTTP framework here."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from banks import directory, refreshes
from banks.errors import AccountNotFound, RefreshNotFound
from banks.refresh_status import Refresh
from consents import clock
from consents.errors import PermitExpired
from consents.policy import Permit
from gateway import pairwise
from gateway.api import bodies, render, waiting
from gateway.api.caller import Caller
from gateway.api.reads import served
from gateway.api.render import Body
from gateway.errors import FieldProblem, RequestInvalid

ACCOUNTS_MAX = 100
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the request says: its accounts (none: all), its Idempotency-Key, and how long it would wait."""

    account_ids: tuple[str, ...]
    idempotency_key: str | None
    wait_seconds: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """`waited_seconds`: of the preference that was honoured; None: there was none, or no place to wait."""

    body: Body
    refresh_id: str
    has_ended: bool
    waited_seconds: int | None


def wanted(body: bytes, *, idempotency_key: str | None, prefer: str | None) -> Wanted:
    """Raises RequestInvalid with every finding at once."""
    findings: list[FieldProblem] = []
    account_ids = _account_ids(body, findings) if body else ()
    if idempotency_key is not None and not _KEY.match(idempotency_key):
        detail = "1 to 255 visible ASCII characters."
        findings.append(FieldProblem(header="Idempotency-Key", code="bad_key", detail=detail))
    if findings:
        raise RequestInvalid(findings)
    return Wanted(account_ids, idempotency_key, waiting.preferred_seconds(prefer))


def start(caller: Caller, asked: Wanted) -> Told:
    """Raises Denied, AccountNotFound, IdempotencyKeyReused, RefreshRefused, PermitExpired."""
    account_ids = _decoded(caller, asked.account_ids)
    refresh = served(
        caller,
        lambda permit: refreshes.request(
            permit,
            account_ids=account_ids,
            idempotency_key=asked.idempotency_key,
            customer_ip_address=None if caller.attestation is None else caller.attestation.customer_ip_address,
            now=caller.now,
        ),
    )
    waited = asked.wait_seconds if _waited(caller, refresh, asked.wait_seconds) else None
    if waited is not None:
        # Whoever said stop meanwhile is heard: token and permit of the beginning are worth nothing any more.
        caller = caller.again(clock.now())
        refresh = served(caller, lambda permit: refreshes.status(permit, refresh.id, now=caller.now))
    return _told(caller, refresh, waited)


def standing(caller: Caller, refresh_id: str) -> Told:
    """Raises Denied, RefreshNotFound, PermitExpired."""
    known = pairwise.decode("rfr", caller.platform.id, refresh_id)

    def found(permit: Permit) -> Refresh:
        if known is None:
            raise RefreshNotFound
        return refreshes.status(permit, known, now=caller.now)

    return _told(caller, served(caller, found), None)


def _waited(caller: Caller, refresh: Refresh, seconds: int | None) -> bool:
    if seconds is None:
        return False

    def has_ended() -> bool:
        try:
            return refreshes.status(caller.permit, refresh.id, now=clock.now()).has_ended
        except PermitExpired:
            return True

    return refresh.has_ended or waiting.wait_until(has_ended, seconds)


# -- the request -------------------------------------------------------------------------------------------------------


def _account_ids(raw: bytes, findings: list[FieldProblem]) -> tuple[str, ...]:
    body = bodies.json_object(raw, ("account_ids",), findings, values_max=10 * ACCOUNTS_MAX)
    if "account_ids" not in body:
        return ()
    listed = body["account_ids"]
    texts = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    if not isinstance(listed, list) or len(texts) != len(listed) or not 1 <= len(texts) <= ACCOUNTS_MAX:
        detail = f"A list of 1 to {ACCOUNTS_MAX} account ids; leave it out for all of them."
        findings.append(FieldProblem(pointer="/account_ids", code="bad_type", detail=detail))
    elif len(set(texts)) != len(texts):
        findings.append(FieldProblem(pointer="/account_ids", code="repeated", detail="Give each once."))
    return tuple(texts)


def _decoded(caller: Caller, account_ids: Collection[str]) -> list[UUID]:
    """Raises Denied before AccountNotFound: the second says something about the first's data."""
    permit = caller.permit
    decoded = [pairwise.decode("acc", caller.platform.id, text) for text in account_ids]
    known = [one for one in decoded if one is not None and permit.slice_of(one) is not None]
    if len(known) != len(decoded):
        raise AccountNotFound
    return known


# -- the answer --------------------------------------------------------------------------------------------------------


def _told(caller: Caller, refresh: Refresh, waited_seconds: int | None) -> Told:
    refresh_id = pairwise.encode("rfr", caller.platform.id, refresh.id)
    cards = directory.by_id(part.institution_id for part in refresh.parts if part.institution_id is not None)
    parts = [
        render.refresh_part(
            part,
            account_ids=pairwise.encode_all("acc", caller.platform.id, part.account_ids),
            card=None if part.institution_id is None else cards.get(part.institution_id),
            now=caller.now,
        )
        for part in refresh.parts
    ]
    body = render.refresh(refresh, refresh_id=refresh_id, parts=parts)
    return Told(body, refresh_id, refresh.has_ended, waited_seconds)
