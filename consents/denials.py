"""Why not, who can change it, and what they would do. Pure; the codes are the API's problem codes."""

from dataclasses import dataclass
from enum import StrEnum


class DenialCode(StrEnum):
    CONSENT_NOT_AUTHORISED = "consent_not_authorised"
    CONSENT_PAUSED = "consent_paused"
    CONSENT_SUSPENDED = "consent_suspended"
    CONSENT_REVOKED = "consent_revoked"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_CONSUMED = "consent_consumed"
    USER_INACTIVE = "user_inactive"
    PLATFORM_NOT_ACTIVE = "platform_not_active"
    PURPOSE_REQUIRED = "purpose_required"
    PURPOSE_NOT_GRANTED = "purpose_not_granted"
    ATTENDED_REQUIRED = "attended_required"
    PROFILE_REQUIRED = "profile_required"
    POLICY_ABSENT = "policy_absent"
    POLICY_SUSPENDED = "policy_suspended"
    POLICY_BLOCKED = "policy_blocked"
    POLICY_EXCLUDES = "policy_excludes"
    ACCOUNTS_SUSPENDED = "accounts_suspended"
    CONNECTION_NOT_SERVING = "connection_not_serving"
    NO_ACCOUNTS = "no_accounts"


class Owner(StrEnum):
    """Who can change it."""

    USER = "USER"
    BANK = "BANK"
    PLATFORM = "PLATFORM"
    OPERATOR = "OPERATOR"


class Action(StrEnum):
    """What they would do; API member `suggested_action`."""

    ASK_AGAIN = "ask_the_user_for_a_new_consent"
    WAIT_FOR_USER = "wait_until_the_user_resumes"
    RENEW_CONNECTION = "ask_the_user_to_renew_the_bank_connection"
    NAME_PURPOSE = "name_a_granted_purpose"
    SHOW_USER_PRESENT = "call_while_the_user_is_present"
    USE_FAPI2 = "use_the_fapi2_profile"
    CONTACT_BANK = "contact_the_bank"
    CONTACT_OPERATOR = "contact_the_operator"


@dataclass(frozen=True, slots=True)
class Denial:
    code: DenialCode
    owner: Owner
    action: Action


_C, _O, _A = DenialCode, Owner, Action

DENIALS: dict[DenialCode, Denial] = {
    denial.code: denial
    for denial in (
        Denial(_C.CONSENT_NOT_AUTHORISED, _O.USER, _A.ASK_AGAIN),
        Denial(_C.CONSENT_PAUSED, _O.USER, _A.WAIT_FOR_USER),
        Denial(_C.CONSENT_SUSPENDED, _O.OPERATOR, _A.CONTACT_OPERATOR),
        Denial(_C.CONSENT_REVOKED, _O.USER, _A.ASK_AGAIN),
        Denial(_C.CONSENT_EXPIRED, _O.USER, _A.ASK_AGAIN),
        Denial(_C.CONSENT_CONSUMED, _O.USER, _A.ASK_AGAIN),
        Denial(_C.USER_INACTIVE, _O.OPERATOR, _A.CONTACT_OPERATOR),
        Denial(_C.PLATFORM_NOT_ACTIVE, _O.OPERATOR, _A.CONTACT_OPERATOR),
        Denial(_C.PURPOSE_REQUIRED, _O.PLATFORM, _A.NAME_PURPOSE),
        Denial(_C.PURPOSE_NOT_GRANTED, _O.PLATFORM, _A.NAME_PURPOSE),
        Denial(_C.ATTENDED_REQUIRED, _O.PLATFORM, _A.SHOW_USER_PRESENT),
        Denial(_C.PROFILE_REQUIRED, _O.PLATFORM, _A.USE_FAPI2),
        Denial(_C.POLICY_ABSENT, _O.BANK, _A.CONTACT_BANK),
        Denial(_C.POLICY_SUSPENDED, _O.BANK, _A.CONTACT_BANK),
        Denial(_C.POLICY_BLOCKED, _O.BANK, _A.CONTACT_BANK),
        Denial(_C.POLICY_EXCLUDES, _O.BANK, _A.CONTACT_BANK),
        Denial(_C.ACCOUNTS_SUSPENDED, _O.BANK, _A.CONTACT_BANK),
        Denial(_C.CONNECTION_NOT_SERVING, _O.USER, _A.RENEW_CONNECTION),
        Denial(_C.NO_ACCOUNTS, _O.USER, _A.ASK_AGAIN),
    )
}
