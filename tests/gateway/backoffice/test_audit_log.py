"""The bank's audit log speaks in words; none of the service's codes is left out."""

import ast
import re
from collections.abc import Iterator

import pytest

from banks.models import Institution
from consents import audit, clock
from consents.audit import Actor
from consents.models.policy import ProposalStatus
from consents.states import (
    ConnectionStatus,
    ConsentAccountStatus,
    ConsentStatus,
    Initiator,
    PlatformStatus,
    PolicyStatus,
)
from gateway.backoffice import audit_words
from tests.architecture import source
from tests.gateway.backoffice.conftest import Clerk
from tests.support.cast import Member

_RECORDS = re.compile(r"\baudit\.record\(|\bchanging\.(record|change|transition)\(")
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+")
#: Words of the actions that are made of a status.
_MADE_OF = {
    "consent": ConsentStatus,
    "consent_accounts": ConsentAccountStatus,
    "platform": PlatformStatus,
    "proposal": ProposalStatus,
}
#: What these are about is never one bank's, so no bank's log has them.
_OF_NO_BANK = {"platform", "report", "token", "user", "download", "database"}


def _actions() -> Iterator[str]:
    """Every action that the service records, from its source."""
    for tree in source.modules().values():
        if not _RECORDS.search(ast.unparse(tree)):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ACTION.fullmatch(node.value):
                yield node.value
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                subject, dot, rest = str(node.values[0].value).partition(".")
                if dot and not rest and _ACTION.fullmatch(f"{subject}.x"):
                    yield from (f"{subject}.{status.lower()}" for status in _MADE_OF[subject])


def test_every_action_that_may_name_a_bank_has_words_and_no_other() -> None:
    recorded = {action for action in _actions() if action.partition(".")[0] not in _OF_NO_BANK}

    assert recorded == set(audit_words.ACTIONS)


@pytest.mark.parametrize(
    ("subject", "vocabulary"),
    [("policy", PolicyStatus), ("consent", ConsentStatus), ("connection", ConnectionStatus)],
)
def test_every_state_has_words(subject: str, vocabulary: type[PolicyStatus]) -> None:
    for status in vocabulary:
        assert audit_words.states(f"{subject}.changed", "", status) not in ("", status)


def test_words_come_first_and_the_codes_are_beside_them(anne: Clerk, chat: Member, northbank: Institution) -> None:
    by_bank = Actor(initiator=Initiator.BANK, pseudonym=anne.user.pseudonym)
    common = {"actor": by_bank, "now": clock.now(), "institution_id": northbank.id, "platform_id": chat.platform.id}
    audit.record("policy.signed", from_status="ALLOW", to_status="SUSPEND", reason_code="COMPLAINTS", **common)  # type: ignore[arg-type]
    audit.record("proposal.waiting", to_status="WAITING", details={"kind": "LIFT"}, **common)  # type: ignore[arg-type]

    page = anne.page("audit/")

    for words in (
        f"A policy was signed · {chat.platform.name} · Allowed → Suspended",
        "by anne · Complaints of customers",
        "policy.signed ALLOW SUSPEND COMPLAINTS",
        f"A second person was asked: Lift a stop · {chat.platform.name}",
    ):
        assert page.says(words), words


def test_the_file_keeps_the_codes(anne: Clerk, northbank: Institution) -> None:
    audit.record(
        "connection.upstream_ended",
        actor=Actor(initiator=Initiator.SYSTEM),
        now=clock.now(),
        institution_id=northbank.id,
        to_status="DONE",
    )

    told = anne.get("audit.csv").getvalue().decode()

    assert ",connection.upstream_ended,Sluice by itself,,,DONE," in told
