"""What this package refuses, named for what happened. No status codes here; gateway.problems has the one table."""

from consents.denials import Denial


class ConsentError(Exception):
    """Root of every refusal this package can raise."""


class Denied(ConsentError):
    """decide() said no. Carries the Denial: code, who can change it, what they would do."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.code)
        self.denial = denial


class ScopeNotGranted(ConsentError):
    """The permit does not open this record."""


class PermitExpired(ConsentError):
    """The permit outlived its consent between decision and read."""


class ConsentNotFound(ConsentError):
    """Not there, or not yours: one answer for both."""


class TransitionRefused(ConsentError):
    """The consent is not in a status from which this may happen: someone else was first, or it already ended."""


class ReportNotFound(ConsentError):
    """No such report is open: never made, closed, or another person's."""


class RequestNotAllowed(ConsentError):
    """What the platform asks goes beyond its purposes or the vocabulary. `field` names the member."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class PolicyChanged(ConsentError):
    """Another version of this policy was signed meanwhile: look again. `version` is the newest that was seen."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version}")
        self.version = version


class ProposalNotFound(ConsentError):
    """Not there, or another bank's: one answer for both."""


class ProposalDecided(ConsentError):
    """Somebody approved, refused or superseded it before."""


class TwoPeopleNeeded(ConsentError):
    """Whoever asked for it may not be the one who approves it, nor sign alone what is wider."""


class LookupsSpent(ConsentError):
    """This person has looked up as many customers as one may within the hour."""


class EventsGone(ConsentError):
    """What lies after the position asked for is not kept any more, or never was. `position`: where one can go on."""

    def __init__(self, position: int) -> None:
        super().__init__(f"after {position}")
        self.position = position


class PlatformNotUsable(ConsentError):
    """Unknown, or its status allows no new consent."""


class JoseRejected(ConsentError):
    """A JWS or JWK that is malformed, weak, or signed by another."""


class AuditBroken(ConsentError):
    """The chain does not verify. `sequence` is the first entry that does not fit."""

    def __init__(self, sequence: int) -> None:
        super().__init__(f"audit entry {sequence}")
        self.sequence = sequence
