"""A policy's terms as a form sends them: every control, what it may hold, and what is wrong with it in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django import forms

from consents.policy_terms import PolicyTerms, StepUp
from consents.requested import DURATION_DAYS_MAX, HISTORY_DAYS_MAX
from consents.scopes import LocationPrecision, Purpose, Scope, SensitiveGroup, consistent
from consents.states import PolicyStatus
from gateway import words
from gateway.backoffice import wording

_NO_PLACE = "none"
_NO_VERSION = "The address does not say which version was changed. Look through the terms below and send them again"

_SCOPES = [(scope.value, words.SCOPE_WORDS[scope].label) for scope in Scope]
_PURPOSES = [(purpose.value, words.PURPOSE_WORDS[purpose][0]) for purpose in Purpose]
_GROUPS = [
    (group.value, words.GROUP_WORDS[group].capitalize()) for group in SensitiveGroup if group in words.GROUP_WORDS
]
_PRECISIONS = [(_NO_PLACE, "No place at all"), *((one.value, words.PRECISION_WORDS[one]) for one in LocationPrecision)]
_STEP_UPS = [(one.value, wording.STEP_UPS[one]) for one in StepUp]
_PROFILES = [("fapi2", wording.PROFILES[True]), ("standard", wording.PROFILES[False])]


@dataclass(frozen=True, slots=True)
class Option:
    """One box or button of a group."""

    id: str
    name: str
    value: str
    label: str
    is_chosen: bool


def _some(term: str, choices: list[tuple[str, str]]) -> forms.MultipleChoiceField:
    """Any of a few."""
    told = f"{wording.TERMS[term]}: choose from these"
    return forms.MultipleChoiceField(choices=choices, required=False, error_messages={"invalid_choice": told})


def _one(term: str, choices: list[tuple[str, str]]) -> forms.ChoiceField:
    """Exactly one. The list of problems at the head has no place for a label beside it: the sentence names the term."""
    told = f"{wording.TERMS[term]}: choose one of these"
    return forms.ChoiceField(choices=choices, error_messages=dict.fromkeys(("required", "invalid_choice"), told))


def _days(maximum: int) -> forms.IntegerField:
    told = f"Type a number of days from 1 to {maximum}, or leave it empty"
    return forms.IntegerField(
        required=False,
        min_value=1,
        max_value=maximum,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), told),
    )


class TermsForm(forms.Form):
    """Sent by GET. Lengths of time in days, empty: no limit of the bank's own."""

    scopes = _some("scopes", _SCOPES)
    purposes = _some("purposes", _PURPOSES)
    history_days_max = _days(HISTORY_DAYS_MAX)
    duration_days_max = _days(DURATION_DAYS_MAX)
    location_precision = _one("location_precision", _PRECISIONS)
    on_platform_only = forms.BooleanField(required=False)
    hidden_groups = _some("hidden_groups", _GROUPS)
    requires_attended = forms.BooleanField(required=False)
    accepts_attestation = forms.BooleanField(required=False)
    step_up = _one("step_up", _STEP_UPS)
    profile = _one("requires_fapi2", _PROFILES)
    base_version = forms.IntegerField(
        min_value=0,
        widget=forms.HiddenInput,
        error_messages=dict.fromkeys(("required", "invalid", "min_value"), _NO_VERSION),
    )

    @classmethod
    def of(cls, held: PolicyTerms | None) -> Self:
        """The form as it is first shown; the narrowest there is where nothing holds yet."""
        if held is None:
            held = PolicyTerms(scopes=frozenset(), purposes=frozenset(), location_precision=None)
        return cls(
            initial={
                **held.as_json(),
                "location_precision": held.location_precision or _NO_PLACE,
                "profile": "fapi2" if held.requires_fapi2 else "standard",
            }
        )

    def clean_scopes(self) -> list[str]:
        chosen = [Scope(name) for name in self.cleaned_data["scopes"]]
        if consistent(chosen) != frozenset(chosen):
            raise forms.ValidationError("Shop names, places and names of people need transaction details as well")
        return [scope.value for scope in chosen]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = self.cleaned_data
        for name, told in (("scopes", "Choose what may be shared"), ("purposes", "Choose what for")):
            if name in data and not data[name]:
                self.add_error(name, f"{told}, or suspend the platform instead")
        return data

    def terms(self, status: PolicyStatus) -> PolicyTerms:
        """Of a valid form."""
        data = self.cleaned_data
        precision = data["location_precision"]
        return PolicyTerms(
            scopes=frozenset(Scope(name) for name in data["scopes"]),
            purposes=frozenset(Purpose(name) for name in data["purposes"]),
            status=status,
            history_days_max=data["history_days_max"],
            duration_days_max=data["duration_days_max"],
            location_precision=None if precision == _NO_PLACE else LocationPrecision(precision),
            on_platform_only=data["on_platform_only"],
            hidden_groups=frozenset(SensitiveGroup(name) for name in data["hidden_groups"]),
            requires_attended=data["requires_attended"],
            accepts_attestation=data["accepts_attestation"],
            step_up=StepUp(data["step_up"]),
            requires_fapi2=data["profile"] == "fapi2",
        )

    @property
    def version(self) -> int:
        """Of a valid form: the version that these terms were made from."""
        return int(self.cleaned_data["base_version"])

    def errors_listed(self) -> list[tuple[str, str]]:
        """(id of the first control, what is wrong), in the order of the page."""
        if not self.is_bound:
            return []
        return [(self._first_control(name), str(told)) for name in self.fields for told in self.errors.get(name, [])]

    def _first_control(self, name: str) -> str:
        """What nobody sees leads to the top of the form."""
        field = self.fields[name]
        if field.widget.is_hidden:
            return "scopes-1"
        return f"{name}-1" if isinstance(field, forms.ChoiceField) else name

    def options(self, name: str) -> list[Option]:
        """The boxes of one group, ticked as sent or as they hold."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        held = self[name].value() or []
        chosen = {held} if isinstance(held, str) else set(held)
        return [
            Option(f"{name}-{number}", name, value, label, value in chosen)
            for number, (value, label) in enumerate(_choices(field), start=1)
        ]

    @property
    def groups(self) -> Mapping[str, list[Option]]:
        return {name: self.options(name) for name, field in self.fields.items() if isinstance(field, forms.ChoiceField)}


def _choices(field: forms.ChoiceField) -> list[tuple[str, str]]:
    return [(str(value), str(label)) for value, label in field.choices]  # type: ignore[misc, union-attr]
