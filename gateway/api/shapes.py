"""The shapes of gateway.api.render, for the OpenAPI document. Nothing is serialized with these.

`required=False`: the member is there exactly when the consent opens it. `allow_null`: unknown.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from banks.read import UpdateStatus
from banks.refresh_status import RefreshStatus
from banks.types import AccountCategory, AccountStatus, Channel, InstitutionStatus, TransactionKind
from consents.denials import DenialCode, Owner
from consents.events import EventType
from consents.scopes import DurationType, LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import ConsentStatus, Initiator
from gateway.api.parameters import STATUSES

Shape = serializers.Serializer[Any]

_AMOUNT = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
    "description": "Decimal, with exactly the currency's decimals (ISO 4217). Negative: money out, or owed.",
    "examples": ["-12.50"],
}
_CURRENCY = {"type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217."}


@extend_schema_field(_AMOUNT)
class Amount(serializers.CharField):
    pass


@extend_schema_field({**_AMOUNT, "type": ["string", "null"]})
class AmountOrNull(serializers.CharField):
    pass


@extend_schema_field(_CURRENCY)
class Currency(serializers.CharField):
    pass


@extend_schema_field({**_CURRENCY, "type": ["string", "null"]})
class CurrencyOrNull(serializers.CharField):
    pass


def _text(help_text: str = "", *, required: bool = False) -> serializers.CharField:
    return serializers.CharField(allow_null=True, required=required, help_text=help_text)


def _day(help_text: str = "") -> serializers.DateField:
    return serializers.DateField(allow_null=True, help_text=help_text)


def _instant(help_text: str = "") -> serializers.DateTimeField:
    return serializers.DateTimeField(allow_null=True, help_text=help_text)


def _as_of() -> serializers.DateTimeField:
    return _instant(
        "When this was last fetched from the bank. Null: nothing has been fetched yet, and an empty list says nothing."
    )


def _next_refresh_after() -> serializers.DateTimeField:
    return _instant(
        "Before this instant a refresh without the user would not fetch all, because the bank's daily number of "
        "fetches is used up. Null: it may be asked for now."
    )


class Direction(serializers.ChoiceField):
    def __init__(self) -> None:
        super().__init__(choices=["CREDIT", "DEBIT"], help_text="DEBIT: money out, or owed. Zero is CREDIT.")


class InstitutionName(Shape):
    id = serializers.SlugField()
    name = serializers.CharField()


class Institution(Shape):
    id = serializers.SlugField()
    name = serializers.CharField()
    country = serializers.CharField(help_text="ISO 3166-1 alpha-2.")
    status = serializers.ChoiceField(choices=list(InstitutionStatus))
    history_days_max = serializers.IntegerField(help_text="How far back this bank answers.")
    consent_days_max = serializers.IntegerField(help_text="The longest consent this bank gives.")
    is_sandbox = serializers.BooleanField()


class Institutions(Shape):
    institutions = Institution(many=True)


class Identification(Shape):
    scheme_name = serializers.CharField(help_text="IBAN, SortCodeAccountNumber, BBAN, MaskedPAN ...")
    value = serializers.CharField()


class Account(Shape):
    account_id = serializers.CharField(help_text="Opaque, and this platform's alone.")
    institution = InstitutionName(required=False, help_text="Needs `accounts`, as do the next six.")
    name = _text("What the customer calls it.")
    type = serializers.CharField(required=False, help_text="ISO 20022 account type: CACC, SVGS, CARD ... or OTHER.")
    category = serializers.ChoiceField(choices=list(AccountCategory), required=False)
    status = serializers.ChoiceField(choices=list(AccountStatus), required=False)
    currency = CurrencyOrNull(required=False)
    masked_number = _text("The last four digits.")
    identifications = Identification(many=True, required=False, help_text="Needs `account_numbers`.")
    as_of = _as_of()
    next_refresh_after = _next_refresh_after()


class Accounts(Shape):
    accounts = Account(many=True)
    as_of = _as_of()
    next_refresh_after = _next_refresh_after()


class OneAccount(Shape):
    account = Account()
    as_of = _as_of()
    next_refresh_after = _next_refresh_after()


class CreditLine(Shape):
    included = serializers.BooleanField(help_text="Whether the balance counts it.")
    type = _text(required=True)
    amount = AmountOrNull()
    currency = CurrencyOrNull()


class Balance(Shape):
    type = serializers.CharField(help_text="ISO 20022 balance type: CLBD, ITBD, ITAV, CLAV ... or OTHER.")
    amount = Amount()
    currency = Currency()
    credit_debit_indicator = Direction()
    credit_lines = CreditLine(many=True)
    as_of = _instant("The bank's own instant for this balance.")


class Balances(Shape):
    account_id = serializers.CharField()
    balances = Balance(many=True)
    as_of = _as_of()
    next_refresh_after = _next_refresh_after()


class Merchant(Shape):
    name = _text(required=True)
    category = _text(required=True)
    mcc = _text("ISO 18245, four digits.", required=True)
    channel = serializers.ChoiceField(choices=list(Channel), allow_null=True)


class Location(Shape):
    country = _text("ISO 3166-1 alpha-2.", required=True)
    region = _text("From precision `city`.")
    city = _text("From precision `city`.")
    postal_code = _text("At precision `store`.")
    address = _text("At precision `store`.")


class CurrencyExchange(Shape):
    instructed_amount = AmountOrNull()
    instructed_currency = CurrencyOrNull()
    exchange_rate = _text("Decimal.", required=True)


class BalanceAfter(Shape):
    amount = Amount()
    currency = Currency()
    credit_debit_indicator = Direction()


class Transaction(Shape):
    transaction_id = serializers.CharField(help_text="Opaque, this platform's alone, the same from pending to booked.")
    account_id = serializers.CharField()
    status = serializers.ChoiceField(choices=list(STATUSES))
    listed_on = serializers.DateField(help_text="Orders the list: booked day, else the bank's day of a pending row.")
    booked_on = _day("The bank's calendar day; null while pending.")
    value_on = _day()
    transacted_at = _instant("Only when the bank gave an instant with an offset.")
    amount = Amount()
    currency = Currency()
    credit_debit_indicator = Direction()
    kind = serializers.ChoiceField(choices=list(TransactionKind))
    merchant = Merchant(required=False, help_text="Needs `merchants`.")
    location = Location(required=False, help_text="Needs `locations`; as close as the precision granted.")
    currency_exchange = CurrencyExchange(required=False, help_text="Needs `locations`.")
    counterparty_name = _text("Needs `counterparties`.")
    balance_after = BalanceAfter(required=False, allow_null=True, help_text="Needs `balances`.")
    description = _text(
        "The bank's own line. Needs `merchants`, `counterparties`, and `locations` at precision `store`, together."
    )


class Gap(Shape):
    first_on = serializers.DateField()
    last_on = serializers.DateField()


class Coverage(Shape):
    first_on = _day("The first day the bank answered for, within the consent's window.")
    last_on = _day()
    gaps = Gap(many=True)


class Transactions(Shape):
    transactions = Transaction(many=True)
    next_cursor = _text("For the next page; null on the last.", required=True)
    as_of = _as_of()
    next_refresh_after = _next_refresh_after()
    coverage = Coverage()


class RemovedTransaction(Shape):
    transaction_id = serializers.CharField()
    account_id = serializers.CharField()


class AccountProgress(Shape):
    account_id = serializers.CharField()
    update_status = serializers.ChoiceField(choices=list(UpdateStatus))
    as_of = _as_of()
    next_refresh_after = _next_refresh_after()
    coverage = Coverage()


class TransactionChanges(Shape):
    added = Transaction(many=True, help_text="Put them into your copy.")
    modified = Transaction(many=True, help_text="Put them into your copy too, also those that it does not hold.")
    removed = RemovedTransaction(many=True, help_text="Take them out of your copy; it may not hold all of them.")
    next_cursor = serializers.CharField(help_text="Keep it with your copy, and send it with the next request.")
    has_more = serializers.BooleanField(help_text="True: ask again now. False: your copy is complete as of this walk.")
    update_status = serializers.ChoiceField(
        choices=list(UpdateStatus),
        help_text="The least of the accounts': FIRST_SYNC, no fetch was completed yet; BACKFILLING, days of the "
        "consent's window are missing; CURRENT, all that the bank has was fetched.",
    )
    accounts = AccountProgress(many=True)
    as_of = _as_of()
    next_refresh_after = _next_refresh_after()


class RefreshWanted(Shape):
    account_ids = serializers.ListField(
        child=serializers.CharField(), required=False, min_length=1, max_length=100, help_text="Without it: all."
    )


class RefreshPart(Shape):
    institution = InstitutionName(required=False, help_text="Needs `accounts`.")
    account_ids = serializers.ListField(child=serializers.CharField(), required=False)
    status = serializers.ChoiceField(choices=list(RefreshStatus))
    code = _text(
        "Why it was refused, failed, or waits: `fetch_quota_spent`, `upstream_rate_limited`, `connection_not_serving` "
        "(the user must renew it), or what went wrong at the bank.",
        required=True,
    )
    retry_after = serializers.IntegerField(allow_null=True, help_text="Seconds until that may be over, if known.")


class Refresh(Shape):
    refresh_id = serializers.CharField(help_text="Opaque. Known for 24 hours.")
    status = serializers.ChoiceField(
        choices=list(RefreshStatus),
        help_text="QUEUED and RUNNING go on. DONE: all was fetched. PARTIAL: some was. FAILED: nothing was.",
    )
    parts = RefreshPart(many=True, help_text="One for each link to a bank.")
    created_at = serializers.DateTimeField()
    next_refresh_after = _next_refresh_after()


class Denial(Shape):
    code = serializers.ChoiceField(choices=list(DenialCode))
    owner = serializers.ChoiceField(choices=list(Owner))
    suggested_action = serializers.CharField()


class Limits(Shape):
    history_from = _day("No row listed before this day is served. Null: no limit.")
    location_precision = serializers.ChoiceField(choices=list(LocationPrecision), allow_null=True)
    on_platform_only = serializers.BooleanField(help_text="Only what was paid to, or through, this platform.")
    hidden_groups = serializers.ListField(child=serializers.ChoiceField(choices=list(SensitiveGroup)))


class Opening(Limits):
    institution = InstitutionName(allow_null=True, help_text="Null without `accounts`.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(Scope)))


class Consent(Limits):
    consent_id = serializers.CharField()
    status = serializers.ChoiceField(choices=list(ConsentStatus))
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(Scope)))
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=list(Purpose)))
    authorised_at = _instant()
    expires_at = serializers.DateTimeField()
    open = Opening(many=True, help_text="Per bank, what is open now: consent, bank, operator and connection together.")
    open_until = _instant("When the earliest of their clocks runs out.")
    denial = Denial(allow_null=True, help_text="Why nothing is open, and who can change it.")


class ManagedConsent(Limits):
    consent_id = serializers.CharField(help_text="Opaque, and this platform's alone.")
    status = serializers.ChoiceField(choices=list(ConsentStatus), help_text="As of now.")
    status_reason = _text("A code.", required=True)
    status_initiator = serializers.ChoiceField(choices=list(Initiator), help_text="Whose hand it was.")
    status_changed_at = serializers.DateTimeField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(Scope)))
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=list(Purpose)))
    duration_type = serializers.ChoiceField(choices=list(DurationType))
    created_at = serializers.DateTimeField(help_text="When it was asked for.")
    authorised_at = _instant()
    expires_at = serializers.DateTimeField(help_text="Of an unanswered request: when it dies.")
    ended_at = _instant()


class ManagedConsents(Shape):
    consents = ManagedConsent(many=True)
    next_cursor = _text("For the next page; null on the last.", required=True)


class EventDetails(Shape):
    reason = serializers.CharField(required=False, help_text="A code: why a consent changed.")
    initiator = serializers.ChoiceField(choices=list(Initiator), required=False, help_text="Whose hand it was.")
    code = serializers.CharField(required=False, help_text="What is wrong with a connection.")
    days = serializers.IntegerField(required=False, help_text="Until it ends; 0: now.")
    institution = InstitutionName(required=False, help_text="The bank that acted. Needs `accounts`.")
    account_ids = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Of the connection, those the consent opens now."
    )


class Event(Shape):
    event_id = serializers.CharField(help_text="Opaque, and this platform's alone. The same however often it is read.")
    type = serializers.ChoiceField(choices=list(EventType))
    occurred_at = serializers.DateTimeField()
    consent_id = serializers.CharField(help_text="The consent it concerns.")
    details = EventDetails()


class Events(Shape):
    events = Event(many=True)
    next_after = serializers.CharField(help_text="Where the next answer begins, and what you acknowledge.")
    has_more = serializers.BooleanField(help_text="True: ask again now.")


class AcknowledgementWanted(Shape):
    through = serializers.CharField(help_text="`next_after` of an answer whose events you have dealt with.")


class Acknowledgement(Shape):
    acknowledged_through = serializers.CharField(help_text="How far you have acknowledged now.")


class FieldProblem(Shape):
    parameter = serializers.CharField(required=False, help_text="The query parameter.")
    header = serializers.CharField(required=False)
    pointer = serializers.CharField(required=False, help_text="JSON Pointer into the body (RFC 6901).")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(Shape):
    """RFC 9457. `type` leads to a page that explains `code`."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField(help_text="The path of the request.")
    code = serializers.CharField()
    owner = serializers.ChoiceField(choices=list(Owner), allow_null=True, help_text="Who can change it.")
    suggested_action = _text(required=True)
    action_url = _text("Where the user can change it; with `cursor_stale`, the address to begin again.", required=True)
    retry_after = serializers.IntegerField(allow_null=True, help_text="Seconds.")
    display_message = serializers.CharField(help_text="A plain sentence you may show your user.")
    request_id = serializers.CharField()
    reason = serializers.CharField(
        required=False, help_text="With `refresh_refused`: the code of what stands against it."
    )
    next_refresh_after = serializers.DateTimeField(required=False, help_text="With `refresh_refused`: until when.")
    next_after = serializers.CharField(required=False, help_text="With `events_gone`: the cursor to go on with.")
    errors = FieldProblem(many=True)  # type: ignore[assignment]  # the member's name is the standard's
