"""The shapes of gateway.api.render, for the OpenAPI document. Nothing is serialized with these.

`required=False`: the member is there exactly when the consent opens it. `allow_null`: unknown.
"""

from typing import Any

from rest_framework import serializers

from banks.read import UpdateStatus
from banks.refresh_status import RefreshStatus
from banks.types import AccountCategory, AccountStatus, Channel, InstitutionStatus, TransactionKind
from consents.denials import DenialCode, Owner
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup
from consents.states import ConsentStatus
from gateway.api import shape_fields as fields
from gateway.api.parameters import STATUSES

Shape = serializers.Serializer[Any]


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
    name = fields.text("What the customer calls it.")
    type = serializers.CharField(required=False, help_text="ISO 20022 account type: CACC, SVGS, CARD ... or OTHER.")
    category = serializers.ChoiceField(choices=list(AccountCategory), required=False)
    status = serializers.ChoiceField(choices=list(AccountStatus), required=False)
    currency = fields.CurrencyOrNull(required=False)
    masked_number = fields.text("The last four digits.")
    identifications = Identification(many=True, required=False, help_text="Needs `account_numbers`.")
    as_of = fields.as_of()
    next_refresh_after = fields.next_refresh_after()


class Accounts(Shape):
    accounts = Account(many=True)
    as_of = fields.as_of()
    next_refresh_after = fields.next_refresh_after()


class OneAccount(Shape):
    account = Account()
    as_of = fields.as_of()
    next_refresh_after = fields.next_refresh_after()


class CreditLine(Shape):
    included = serializers.BooleanField(help_text="Whether the balance counts it.")
    type = fields.text(required=True)
    amount = fields.AmountOrNull()
    currency = fields.CurrencyOrNull()


class Balance(Shape):
    type = serializers.CharField(help_text="ISO 20022 balance type: CLBD, ITBD, ITAV, CLAV ... or OTHER.")
    amount = fields.Amount()
    currency = fields.Currency()
    credit_debit_indicator = fields.Direction()
    credit_lines = CreditLine(many=True)
    as_of = fields.instant("The bank's own instant for this balance.")


class Balances(Shape):
    account_id = serializers.CharField()
    balances = Balance(many=True)
    as_of = fields.as_of()
    next_refresh_after = fields.next_refresh_after()


class Merchant(Shape):
    name = fields.text(required=True)
    category = fields.text(required=True)
    mcc = fields.text("ISO 18245, four digits.", required=True)
    channel = serializers.ChoiceField(choices=list(Channel), allow_null=True)


class Location(Shape):
    country = fields.text("ISO 3166-1 alpha-2.", required=True)
    region = fields.text("From precision `city`.")
    city = fields.text("From precision `city`.")
    postal_code = fields.text("At precision `store`.")
    address = fields.text("At precision `store`.")


class CurrencyExchange(Shape):
    instructed_amount = fields.AmountOrNull()
    instructed_currency = fields.CurrencyOrNull()
    exchange_rate = fields.text("Decimal.", required=True)


class BalanceAfter(Shape):
    amount = fields.Amount()
    currency = fields.Currency()
    credit_debit_indicator = fields.Direction()


class Transaction(Shape):
    transaction_id = serializers.CharField(help_text="Opaque, this platform's alone, the same from pending to booked.")
    account_id = serializers.CharField()
    status = serializers.ChoiceField(choices=list(STATUSES))
    listed_on = serializers.DateField(help_text="Orders the list: booked day, else the bank's day of a pending row.")
    booked_on = fields.day("The bank's calendar day; null while pending.")
    value_on = fields.day()
    transacted_at = fields.instant("Only when the bank gave an instant with an offset.")
    amount = fields.Amount()
    currency = fields.Currency()
    credit_debit_indicator = fields.Direction()
    kind = serializers.ChoiceField(choices=list(TransactionKind))
    merchant = Merchant(required=False, help_text="Needs `merchants`.")
    location = Location(required=False, help_text="Needs `locations`; as close as the precision granted.")
    currency_exchange = CurrencyExchange(required=False, help_text="Needs `locations`.")
    counterparty_name = fields.text("Needs `counterparties`.")
    balance_after = BalanceAfter(required=False, allow_null=True, help_text="Needs `balances`.")
    description = fields.text(
        "The bank's own line. Needs `merchants`, `counterparties`, and `locations` at precision `store`, together."
    )


class Gap(Shape):
    first_on = serializers.DateField()
    last_on = serializers.DateField()


class Coverage(Shape):
    first_on = fields.day("The first day the bank answered for, within the consent's window.")
    last_on = fields.day()
    gaps = Gap(many=True)


class Transactions(Shape):
    transactions = Transaction(many=True)
    next_cursor = fields.text("For the next page; null on the last.", required=True)
    as_of = fields.as_of()
    next_refresh_after = fields.next_refresh_after()
    coverage = Coverage()


class RemovedTransaction(Shape):
    transaction_id = serializers.CharField()
    account_id = serializers.CharField()


class AccountProgress(Shape):
    account_id = serializers.CharField()
    update_status = serializers.ChoiceField(choices=list(UpdateStatus))
    as_of = fields.as_of()
    next_refresh_after = fields.next_refresh_after()
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
    as_of = fields.as_of()
    next_refresh_after = fields.next_refresh_after()


class RefreshWanted(Shape):
    account_ids = serializers.ListField(
        child=serializers.CharField(), required=False, min_length=1, max_length=100, help_text="Without it: all."
    )


class RefreshPart(Shape):
    institution = InstitutionName(required=False, help_text="Needs `accounts`.")
    account_ids = serializers.ListField(child=serializers.CharField(), required=False)
    status = serializers.ChoiceField(choices=list(RefreshStatus))
    code = fields.text(
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
    next_refresh_after = fields.next_refresh_after()


class Denial(Shape):
    code = serializers.ChoiceField(choices=list(DenialCode))
    owner = serializers.ChoiceField(choices=list(Owner))
    suggested_action = serializers.CharField()


class Limits(Shape):
    history_from = fields.day("No row listed before this day is served. Null: no limit.")
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
    authorised_at = fields.instant()
    expires_at = serializers.DateTimeField()
    open = Opening(many=True, help_text="Per bank, what is open now: consent, bank, operator and connection together.")
    open_until = fields.instant("When the earliest of their clocks runs out.")
    denial = Denial(allow_null=True, help_text="Why nothing is open, and who can change it.")


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
    suggested_action = fields.text(required=True)
    action_url = fields.text(
        "Where the user can change it; with `cursor_stale`, the address to begin again.", required=True
    )
    retry_after = serializers.IntegerField(allow_null=True, help_text="Seconds.")
    display_message = serializers.CharField(help_text="A plain sentence you may show your user.")
    request_id = serializers.CharField()
    reason = serializers.CharField(
        required=False, help_text="With `refresh_refused`: the code of what stands against it."
    )
    next_refresh_after = serializers.DateTimeField(required=False, help_text="With `refresh_refused`: until when.")
    next_after = serializers.CharField(required=False, help_text="With `events_gone`: the cursor to go on with.")
    errors = FieldProblem(many=True)  # type: ignore[assignment]  # the member's name is the standard's
