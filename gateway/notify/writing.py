"""A notice in words: today's words for the codes it holds. The same text goes into the mail and onto the page.

Nothing here knows an amount, an account or a row: what may be named is the platform, the bank, and numbers of reads.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse

from banks import directory
from consents.models import Consent
from consents.scopes import DurationType, LocationPrecision, Purpose, Record, Scope, SensitiveGroup
from consents.states import Initiator
from gateway import words
from gateway.notify.models import Notice, NoticeKind

NAME_MAX = 60
_LINE = 72
_GONE = "a bank that is no longer here"

#: Where a notice leads, and what the link says.
_LINKS: dict[NoticeKind, tuple[str, str]] = {
    NoticeKind.CONNECTION_LINKED: ("portal:links", "See your bank links"),
    NoticeKind.CONNECTION_NEEDS_RENEWAL: ("portal:links", "Renew it under your bank links"),
    NoticeKind.DOWNLOAD_READY: ("portal:download", "Get your data"),
    NoticeKind.PROFILE_CLOSED: ("portal:consents", "Sluice"),
}
_SEE_AND_STOP = "See it, change it or stop it"
_SEE = "See what was shared"
_OVER = (NoticeKind.CONSENT_REVOKED, NoticeKind.CONSENT_EXPIRED)

_BY_WHOM: dict[str, str] = {
    Initiator.USER: "you",
    Initiator.PLATFORM: "the app itself",
    Initiator.BANK: "your bank",
    Initiator.OPERATOR: "us, who run Sluice",
    Initiator.SYSTEM: "Sluice, by itself",
}
_READ_WORDS: dict[str, str] = {
    Record.ACCOUNT: "account details",
    Record.BALANCE: "account balance",
    Record.TRANSACTION: "transactions",
}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or several, and a list below; either may be empty."""

    words: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """`path` begins with a slash and leads to where something can be done; `link` says what."""

    subject: str
    paragraphs: tuple[Paragraph, ...]
    path: str
    link: str

    @property
    def text(self) -> str:
        """The body of the mail: plain text, in lines of 72 where the words allow it."""
        told = [_plain(paragraph) for paragraph in self.paragraphs]
        return "\n\n".join([*told, f"{self.link}:\n{settings.ISSUER}{self.path}", _FOOT]) + "\n"


_FOOT = "This mail holds no balance, no account number and no payment. Sluice\nnever asks for your password by mail."


def letters(found: Iterable[Notice]) -> dict[UUID, Letter]:
    """By notice id; two queries, however many."""
    rows = list(found)
    wanted = [row.consent_id for row in rows if row.consent_id]
    consents = {row.id: row for row in Consent.objects.select_related("platform").filter(id__in=wanted)}
    banks = directory.by_id(bank for row in rows for bank in _banks_of(row))
    names = {bank_id: clean(card.name) for bank_id, card in banks.items()}
    return {row.id: _letter(row, consents.get(row.consent_id) if row.consent_id else None, names) for row in rows}


def letter(notice: Notice) -> Letter:
    return letters([notice])[notice.id]


def clean(name: str) -> str:
    """A name that others chose, fit for a subject and a line: one line, no control or direction marks, not too long."""
    marked = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in name)
    joined = " ".join(marked.split()) or "(no name)"
    return joined if len(joined) <= NAME_MAX else f"{joined[: NAME_MAX - 1].rstrip()}…"


def _letter(notice: Notice, consent: Consent | None, names: Mapping[UUID, str]) -> Letter:
    kind = NoticeKind(notice.kind)
    written = render_to_string(f"notify/{kind.replace('.', '_')}.txt", _context(notice, consent, names))
    head, *rest = [block for block in written.split("\n\n") if block.strip()]
    return Letter(
        subject=" ".join(head.split()),
        paragraphs=tuple(_paragraph(block) for block in rest),
        **_link(kind, notice.consent_id),
    )


def _paragraph(block: str) -> Paragraph:
    """Of a template: lines that begin with "- " are items."""
    lines = [" ".join(line.split()) for line in block.splitlines() if line.strip()]
    return Paragraph(
        " ".join(line for line in lines if not line.startswith("- ")),
        tuple(line[2:] for line in lines if line.startswith("- ")),
    )


def _link(kind: NoticeKind, consent_id: UUID | None) -> dict[str, str]:
    if kind in _LINKS:
        name, label = _LINKS[kind]
        return {"path": reverse(name), "link": label}
    return {"path": reverse("portal:consent", args=[consent_id]), "link": _SEE if kind in _OVER else _SEE_AND_STOP}


def _banks_of(notice: Notice) -> list[UUID]:
    shared = [UUID(bank) for bank in notice.details.get("terms", {}).get("institution_ids", [])]
    return shared if notice.institution_id is None else [*shared, notice.institution_id]


# -- what the templates may use ----------------------------------------------------------------------------------------


def _context(notice: Notice, consent: Consent | None, names: Mapping[UUID, str]) -> dict[str, Any]:
    details = notice.details
    bank = None if notice.institution_id is None else names.get(notice.institution_id, _GONE)
    return {
        "occurred_at": notice.occurred_at,
        "reason": details.get("reason", ""),
        "initiator": details.get("initiator", ""),
        "by_whom": _BY_WHOM.get(details.get("initiator", ""), ""),
        "days": details.get("days"),
        "code": details.get("code", ""),
        "bank": bank,
        "ends_at": _instant(details.get("ends_at")),
        **_parties(consent),
        **_terms(details.get("terms"), consent, names),
        **_summary(details),
    }


def _parties(consent: Consent | None) -> dict[str, Any]:
    if consent is None:
        return {"platform": "An app", "legal_name": "", "reference": ""}
    platform, legal_name = clean(consent.platform.name), clean(consent.platform.legal_name or consent.platform.name)
    return {
        "platform": platform,
        "legal_name": "" if legal_name == platform else legal_name,
        "reference": str(consent.id),
    }


def _terms(terms: Mapping[str, Any] | None, consent: Consent | None, names: Mapping[UUID, str]) -> dict[str, Any]:
    if terms is None:
        return {}
    scopes = frozenset(Scope(scope) for scope in terms["scopes"])
    precision = LocationPrecision(terms["location_precision"]) if terms["location_precision"] else None
    platform = _parties(consent)["platform"]
    purposes = [purpose for purpose in Purpose if purpose in terms["purposes"]]
    groups = [SensitiveGroup(group) for group in terms["hidden_groups"]]
    return {
        "scopes": words.describe(scopes, precision),
        "reasons": [words.reason(platform, purpose) for purpose in purposes],
        "limits": words.limits(terms["on_platform_only"], groups, platform),
        "banks": sorted(names.get(UUID(bank), _GONE) for bank in terms["institution_ids"]),
        "accounts": terms["accounts"],
        "history_from": _day(terms["history_from"]) if scopes & words.LOOKING_BACK else None,
        "granted_at": _instant(terms["granted_at"]),
        "expires_at": _instant(terms["expires_at"]),
        "is_one_time": terms["duration_type"] == DurationType.ONE_TIME,
        "disclosure_version": terms["disclosure_version"],
        "disclosure_sha256": terms["disclosure_sha256"],
    }


def _summary(details: Mapping[str, Any]) -> dict[str, Any]:
    reads = details.get("reads")
    if reads is None:
        return {}
    return {
        "started_on": _day(details["started_on"]),
        "ended_on": _day(details["ended_on"]),
        "total": sum(reads["counts"].values()),
        "counts": [(_READ_WORDS[record], calls) for record, calls in reads["counts"].items()],
        "first_at": _instant(reads["first_at"]),
        "last_at": _instant(reads["last_at"]),
        "unread_scopes": [words.SCOPE_WORDS[Scope(scope)].label for scope in reads["unread_scopes"]],
        "unread_accounts": reads["unread_accounts"],
    }


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _plain(paragraph: Paragraph) -> str:
    items = [_filled(f"- {item}", "  ") for item in paragraph.items]
    return "\n".join([*([_filled(paragraph.words, "")] if paragraph.words else []), *items])


def _filled(line: str, follows: str) -> str:
    return textwrap.fill(line, _LINE, subsequent_indent=follows, break_long_words=False, break_on_hyphens=False)
