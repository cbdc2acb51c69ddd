"""Which pretend bank this process is: SANDBOX_BANK names a row of PROFILES. Pure, but for that one variable."""

import os
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured

from banks.sandbox.standard import V3_1_11, V4_0, Standard


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All that tells one bank from another, but for its customers and their lives."""

    key: str  #: value of SANDBOX_BANK
    slug: str
    name: str
    standard: Standard
    bic: str
    #: Cookies ignore ports: another service on the same host must not overwrite ours (RFC 6265 section 8.5).
    session_cookie: str
    csrf_cookie: str
    card_scheme: str  #: OBTransactionCardInstrument1.CardSchemeName
    crest: str
    mark: str  #: static file
    stylesheet: str  #: static file
    greeting: str
    numbers_in_words: str  #: what ReadAccountsDetail adds, as the consent page says it
    limits_in_words: str  #: what ReadBalances gives beside balances


PROFILES = {
    profile.key: profile
    for profile in (
        Profile(
            key="first",
            slug="first-sandbox-bank",
            name="First Sandbox Bank",
            standard=V4_0,
            bic="FSBKGB2LXXX",
            session_cookie="first_sandbox_session",
            csrf_cookie="first_sandbox_csrf",
            card_scheme="VISA",
            crest="1",
            mark="sandbox/mark.svg",
            stylesheet="sandbox/bank.css",
            greeting="Log in here from an app that asks for access.",
            numbers_in_words="with sort code, account number and IBAN",
            limits_in_words="overdraft limits",
        ),
        Profile(
            key="card",
            slug="harbour-card",
            name="Harbour Card",
            standard=V3_1_11,
            bic="HBCDGB2LXXX",
            session_cookie="harbour_card_session",
            csrf_cookie="harbour_card_csrf",
            card_scheme="MasterCard",
            crest="H",
            mark="sandbox/card-mark.svg",
            stylesheet="sandbox/card.css",
            greeting="Your credit card, in one place. Log in here from an app that asks for access.",
            numbers_in_words="with the last four digits of your card",
            limits_in_words="credit limits",
        ),
    )
}


def profile_named(key: str) -> Profile:
    """Raises ImproperlyConfigured for a bank that does not exist."""
    if key not in PROFILES:
        raise ImproperlyConfigured(f"SANDBOX_BANK is one of {', '.join(PROFILES)}; not {key!r}.")
    return PROFILES[key]


PROFILE = profile_named(os.environ.get("SANDBOX_BANK") or "first")
