"""Domain error -> RFC 9457 problem: the one table. gateway.problem_answers makes the answers from it.

Nothing here prints an exception's text: what a caller reads is chosen below. OAuth endpoints do not use this; they
answer in their RFC's own form.
"""

from dataclasses import dataclass

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions

from banks import errors as bank_errors
from consents import errors as consent_errors
from consents.denials import DENIALS, DenialCode, Owner
from consents.policy import ENDED
from gateway import errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row: everything about a refusal but the request it happened to.

    `display_message` is a plain sentence that a platform may show its user; `owner` is who can change it.
    """

    code: str
    status: int
    title: str
    detail: str
    display_message: str
    owner: Owner | None = None
    suggested_action: str | None = None


_ASK_USER = "Please allow access again."
_PAUSED = "Access to this account is paused right now."
_BANK_SAYS_NO = "Your bank does not allow this app to see this data."
_TRY_LATER = "This does not work right now. Please try again later."
_APP_ERROR = "The app made a mistake. Please tell its makers."

#: Title, detail, what a user may read. Status, owner and action come from the decision's own tables.
_DENIAL_TEXTS: dict[DenialCode, tuple[str, str, str]] = {
    DenialCode.CONSENT_NOT_AUTHORISED: (
        "The consent was not given.",
        "The user has not said yes to this request, or has said no.",
        _ASK_USER,
    ),
    DenialCode.CONSENT_PAUSED: (
        "The consent is paused.",
        "The user paused it. It serves again, with the same token, once the user resumes it.",
        "You paused this access. You can turn it on again on the access page.",
    ),
    DenialCode.CONSENT_SUSPENDED: (
        "The consent is suspended.",
        "The operator suspended it. It may be lifted.",
        _PAUSED,
    ),
    DenialCode.CONSENT_REVOKED: (
        "The consent was revoked.",
        "It ended and stays ended. Delete what you hold under it, or keep it as the law allows you to.",
        "You ended this access. " + _ASK_USER,
    ),
    DenialCode.CONSENT_EXPIRED: (
        "The consent has expired.",
        "Its time, or the longest time the bank accepts, is over.",
        "This access has run out. " + _ASK_USER,
    ),
    DenialCode.CONSENT_CONSUMED: (
        "The consent was for one use and has been used.",
        "A one-time consent opens data once.",
        "This access was for one use. " + _ASK_USER,
    ),
    DenialCode.USER_INACTIVE: (
        "The account holder's profile is closed.",
        "The person this token is about no longer uses this service.",
        "This profile is closed.",
    ),
    DenialCode.PLATFORM_NOT_ACTIVE: (
        "The platform is not active.",
        "The operator suspended the platform, or its registration ended.",
        "This app cannot read bank data right now.",
    ),
    DenialCode.PURPOSE_REQUIRED: (
        "Name a purpose.",
        "This consent covers more than one purpose: send the one this request serves in the Purpose header.",
        _APP_ERROR,
    ),
    DenialCode.PURPOSE_NOT_GRANTED: (
        "The purpose was not granted.",
        "The purpose in the Purpose header is not among those the user agreed to.",
        "You did not allow this app to use your data for that.",
    ),
    DenialCode.ATTENDED_REQUIRED: (
        "The user must be present.",
        "The bank accepts this only while the user is present.",
        "Please open the app and try again.",
    ),
    DenialCode.PROFILE_REQUIRED: (
        "The bank demands the FAPI 2.0 profile.",
        "The bank's policy serves platforms of the security profile fapi2 only.",
        _BANK_SAYS_NO,
    ),
    DenialCode.POLICY_ABSENT: (
        "The bank has not agreed to this platform.",
        "No policy of the bank is in force for this platform.",
        _BANK_SAYS_NO,
    ),
    DenialCode.POLICY_SUSPENDED: (
        "The bank suspended access.",
        "The bank's policy for this platform is suspended. It may be lifted.",
        "Your bank has stopped this access for now.",
    ),
    DenialCode.POLICY_BLOCKED: (
        "The bank blocks access.",
        "The bank's policy blocks this platform.",
        _BANK_SAYS_NO,
    ),
    DenialCode.POLICY_EXCLUDES: (
        "The bank does not accept this.",
        "The bank's policy for this platform leaves out the purpose, or everything the consent asks for.",
        _BANK_SAYS_NO,
    ),
    DenialCode.ACCOUNTS_SUSPENDED: (
        "The bank suspended these accounts.",
        "Every account under this consent is suspended or was withdrawn by its bank.",
        "Your bank has stopped this access for now.",
    ),
    DenialCode.CONNECTION_NOT_SERVING: (
        "The bank connection has ended.",
        "The bank no longer authorises this service for this user; the user can renew that at the bank.",
        "The link to your bank has run out. Please renew it.",
    ),
    DenialCode.NO_ACCOUNTS: (
        "No account is left.",
        "The consent covers no account any more.",
        "No account is shared with this app. " + _ASK_USER,
    ),
}


def _of_denial(code: DenialCode) -> Problem:
    title, detail, display_message = _DENIAL_TEXTS[code]
    return Problem(
        code=code,
        status=401 if code in ENDED else 403,
        title=title,
        detail=detail,
        display_message=display_message,
        owner=DENIALS[code].owner,
        suggested_action=DENIALS[code].action,
    )


_FIX = "correct_the_request"
_NEW_TOKEN = "get_a_new_token"  # noqa: S105 -- a word of the vocabulary
_LATER = "try_again_later"


def _of_platform(code: str, status: int, title: str, detail: str, *, action: str = _FIX) -> Problem:
    return Problem(
        code=code,
        status=status,
        title=title,
        detail=detail,
        display_message=_APP_ERROR,
        owner=Owner.PLATFORM,
        suggested_action=action,
    )


def _of_operator(code: str, status: int, title: str, detail: str) -> Problem:
    return Problem(
        code=code,
        status=status,
        title=title,
        detail=detail,
        display_message=_TRY_LATER,
        owner=Owner.OPERATOR,
        suggested_action=_LATER,
    )


_ROWS = (
    *(_of_denial(code) for code in DenialCode),
    Problem(
        code="scope_not_granted",
        status=403,
        title="The consent does not open this.",
        detail="The scope this address needs was not granted, or the bank does not accept it.",
        display_message="You did not share this with the app.",
        owner=Owner.USER,
        suggested_action="ask_the_user_for_a_new_consent",
    ),
    Problem(
        code="permit_expired",
        status=401,
        title="The consent ended during the request.",
        detail="It ended or changed between the decision and the answer, so the answer was not sent.",
        display_message="This access has just ended. " + _ASK_USER,
        owner=Owner.USER,
        suggested_action="ask_the_user_for_a_new_consent",
    ),
    _of_platform(
        "invalid_token",
        401,
        "The access token is missing or not valid.",
        "Send one in the Authorization header. Access tokens live 10 minutes and end with their consent.",
        action=_NEW_TOKEN,
    ),
    _of_platform(
        "consent_token_required",
        403,
        "A user's token is needed.",
        "The token is the platform's own. What is a user's is opened by a token that points at their consent.",
        action=_NEW_TOKEN,
    ),
    _of_platform(
        "platform_token_required",
        403,
        "The platform's own token is needed.",
        "The token points at one user's consent. Get one with grant_type=client_credentials for this address.",
        action=_NEW_TOKEN,
    ),
    _of_platform("invalid_request", 400, "The request is not valid.", "See errors: each names a place and a reason."),
    _of_platform(
        "purpose_unknown",
        400,
        "The purpose is not known.",
        "The Purpose header takes exactly one of: balance_check, fraud_alerts, spending_insights, budgeting, "
        "account_overview.",
    ),
    _of_platform(
        "cursor_invalid",
        400,
        "The cursor does not fit.",
        "A cursor belongs to whom it was made for, one list and one set of filters. Start again without it.",
    ),
    _of_platform(
        "cursor_stale",
        410,
        "The cursor's list has ended.",
        "What this consent lets through has changed since: a cursor that went on would leave out rows that came into "
        "view, or keep rows that left it. Drop your copy and begin again without a cursor, at action_url.",
        action="begin_again_without_the_cursor",
    ),
    _of_platform(
        "events_gone",
        410,
        "Events after this position are not kept any more.",
        "Events are kept for 30 days. What was missed is in the state of things: look at every consent at action_url, "
        "then go on with `after` set to next_after.",
        action="look_at_every_consent",
    ),
    _of_platform(
        "idempotency_key_reused",
        422,
        "The idempotency key belongs to another request.",
        "Within 24 hours a key stands for one request. Send a new key with a new request.",
    ),
    _of_platform(
        "request_not_allowed",
        400,
        "The request goes too far.",
        "What is asked goes beyond the purposes named, or beyond the vocabulary.",
    ),
    _of_platform("signature_rejected", 400, "The signature is not accepted.", "The JWS or JWK was not accepted."),
    _of_platform("account_not_found", 404, "There is no such account.", "No account of this consent has this id."),
    _of_platform("consent_not_found", 404, "There is no such consent.", "No consent this token reaches has this id."),
    _of_platform("institution_not_found", 404, "There is no such bank.", "No bank here has this id."),
    _of_platform(
        "refresh_not_found",
        404,
        "There is no such refresh.",
        "No refresh of this consent has this id, or it is more than 24 hours old.",
    ),
    _of_platform("not_found", 404, "There is nothing at this address.", "See /docs/ for the addresses there are."),
    _of_platform(
        "method_not_allowed", 405, "The method is not allowed here.", "The Allow header names those that are."
    ),
    _of_platform("not_acceptable", 406, "Only JSON is served here.", "Let the Accept header include application/json."),
    _of_platform(
        "transition_refused",
        409,
        "It is no longer in a state that allows this.",
        "Somebody else was first, or it has ended already.",
    ),
    _of_platform("content_too_large", 413, "The request is too large.", "Send a smaller body."),
    _of_platform("unsupported_media_type", 415, "The media type is not supported.", "Send application/json."),
    Problem(
        code="rate_limited",
        status=429,
        title="Too many requests.",
        detail="Wait as long as Retry-After says.",
        display_message=_TRY_LATER,
        owner=Owner.PLATFORM,
        suggested_action=_LATER,
    ),
    Problem(
        code="refresh_refused",
        status=429,
        title="Nothing can be fetched for now.",
        detail="The bank allows no further fetch before next_refresh_after; reason says why. What is stored is served.",
        display_message="Your bank gives no newer data right now. Please try again later.",
        owner=Owner.BANK,
        suggested_action=_LATER,
    ),
    _of_operator("internal_error", 500, "Something went wrong here.", "The request id finds it in the log."),
    _of_operator("service_unavailable", 503, "The service is not available.", "A part of the service does not answer."),
)

PROBLEMS: dict[str, Problem] = {row.code: row for row in _ROWS}

#: Every problem code there is, for the glossary and the pages at /problems/.
PROBLEM_CODES: tuple[str, ...] = tuple(PROBLEMS)

#: Error -> code. A subclass without a row of its own takes its parent's.
ERROR_CODES: dict[type[Exception], str] = {
    consent_errors.ScopeNotGranted: "scope_not_granted",
    consent_errors.PermitExpired: "permit_expired",
    consent_errors.ConsentNotFound: "consent_not_found",
    consent_errors.TransitionRefused: "transition_refused",
    consent_errors.ReportNotFound: "not_found",
    consent_errors.PolicyChanged: "transition_refused",
    consent_errors.ProposalDecided: "transition_refused",
    consent_errors.ProposalNotFound: "not_found",
    consent_errors.TwoPeopleNeeded: "transition_refused",
    consent_errors.RequestNotAllowed: "request_not_allowed",
    consent_errors.PlatformNotUsable: DenialCode.PLATFORM_NOT_ACTIVE,
    consent_errors.JoseRejected: "signature_rejected",
    consent_errors.LookupsSpent: "rate_limited",
    consent_errors.EventsGone: "events_gone",
    consent_errors.AuditBroken: "internal_error",
    bank_errors.AccountNotFound: "account_not_found",
    bank_errors.CursorInvalid: "cursor_invalid",
    bank_errors.CursorStale: "cursor_stale",
    bank_errors.InstitutionNotFound: "institution_not_found",
    bank_errors.RefreshNotFound: "refresh_not_found",
    bank_errors.RefreshRefused: "refresh_refused",
    bank_errors.IdempotencyKeyReused: "idempotency_key_reused",
    errors.RequestInvalid: "invalid_request",
    errors.PurposeUnknown: "purpose_unknown",
    errors.TokenRefused: "invalid_token",
    errors.ConsentTokenRequired: "consent_token_required",
    errors.PlatformTokenRequired: "platform_token_required",
    errors.EventsGone: "events_gone",
    errors.RateLimited: "rate_limited",
    exceptions.ValidationError: "invalid_request",
    exceptions.ParseError: "invalid_request",
    exceptions.AuthenticationFailed: "invalid_token",
    exceptions.NotAuthenticated: "invalid_token",
    exceptions.PermissionDenied: "scope_not_granted",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.NotAcceptable: "not_acceptable",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "rate_limited",
    Http404: "not_found",
    PermissionDenied: "scope_not_granted",
    RequestDataTooBig: "content_too_large",
    SuspiciousOperation: "invalid_request",
    OperationalError: "service_unavailable",
    InterfaceError: "service_unavailable",
}


def problem_of(error: BaseException) -> Problem | None:
    """The row for `error`; None when it is nobody's answer, and therefore an alarm."""
    if isinstance(error, consent_errors.Denied):
        return PROBLEMS[error.denial.code]
    codes = (ERROR_CODES[kind] for kind in type(error).__mro__ if kind in ERROR_CODES)
    code = next(codes, None)
    return None if code is None else PROBLEMS[code]
