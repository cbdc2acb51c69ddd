"""How a customer is named: by the numbers of an account of theirs, or by a consent's reference; and why."""

import re
from typing import Any
from uuid import UUID

from django import forms

from banks.types import Identification
from consents.reasons import LookupReason
from gateway.backoffice.pages import CHOOSE_REASON

#: Of countries with a bank here; elsewhere the form leaves the currency to be typed.
_CURRENCIES = {"GB": "GBP", "US": "USD", "AU": "AUD", "DE": "EUR", "FR": "EUR", "IE": "EUR", "NL": "EUR"}
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")  # ISO 13616
_SORT_CODE, _ACCOUNT_NUMBER = re.compile(r"[0-9]{6}"), re.compile(r"[0-9]{8}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SEPARATORS = re.compile(r"[\s-]+")


def _text(length: int) -> forms.CharField:
    return forms.CharField(required=False, max_length=length)


class LookupForm(forms.Form):
    """Valid: either `consent_id` or `numbers` say who is meant."""

    iban = _text(50)
    sort_code = _text(12)
    account_number = _text(16)
    currency = _text(3)
    reference = _text(40)
    reason = forms.ChoiceField(
        choices=[(one, one) for one in LookupReason],
        error_messages=dict.fromkeys(("required", "invalid_choice"), CHOOSE_REASON),
    )

    consent_id: UUID | None = None

    def __init__(self, data: Any = None, *, country: str) -> None:
        super().__init__(data, initial={"currency": _CURRENCIES.get(country, "")})
        self.numbers: list[Identification] = []

    def clean_iban(self) -> str:
        return self._cleaned("iban", _IBAN, "Type the whole IBAN, such as GB33 BUKB 2020 1555 5555 55")

    def clean_sort_code(self) -> str:
        return self._cleaned("sort_code", _SORT_CODE, "Type the sort code as 6 digits")

    def clean_account_number(self) -> str:
        return self._cleaned("account_number", _ACCOUNT_NUMBER, "Type the account number as 8 digits")

    def clean_currency(self) -> str:
        return self._cleaned("currency", _CURRENCY, "Type the currency as 3 letters, such as GBP")

    def clean_reference(self) -> str:
        text = str(self.cleaned_data["reference"]).strip()
        try:
            self.consent_id = UUID(text) if text else None
        except ValueError:
            raise forms.ValidationError("Type the reference as the customer sees it") from None
        return text

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = self.cleaned_data
        if self.errors or self.consent_id is not None:
            return data
        if data["iban"]:
            self.numbers.append(Identification(scheme_name="IBAN", value=data["iban"]))
        if bool(data["sort_code"]) != bool(data["account_number"]):
            self.add_error("account_number", "Type the sort code and the account number, both")
        elif data["sort_code"]:
            number = data["sort_code"] + data["account_number"]
            self.numbers.append(Identification(scheme_name="SortCodeAccountNumber", value=number))
        if not self.numbers and not self.errors:
            self.add_error("iban", "Type an account’s number, or a consent’s reference")
        if self.numbers and not data["currency"]:
            self.add_error("currency", "Type the currency of the account")
        return data

    @property
    def currency_code(self) -> str:
        """Of a valid form."""
        return str(self.cleaned_data["currency"])

    @property
    def reason_code(self) -> LookupReason:
        """Of a valid form."""
        return LookupReason(self.cleaned_data["reason"])

    def errors_listed(self) -> list[tuple[str, str]]:
        """(id of the control, what is wrong); what concerns the whole form leads to its first control."""
        if not self.is_bound:
            return []
        ids = {"__all__": "iban", "reason": "reason-1"}
        return [(ids.get(name, name), str(told)) for name, found in self.errors.items() for told in found]

    def _cleaned(self, name: str, pattern: re.Pattern[str], told: str) -> str:
        text = _SEPARATORS.sub("", str(self.cleaned_data[name])).upper()
        if text and not pattern.fullmatch(text):
            raise forms.ValidationError(told)
        return text
