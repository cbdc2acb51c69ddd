"""The shapes of what a platform reads with a token of its own, for the OpenAPI document; as gateway.api.shapes."""

from rest_framework import serializers

from consents.events import EventType
from consents.scopes import DurationType, Purpose, Scope
from consents.states import ConsentStatus, Initiator
from gateway.api import shape_fields as fields
from gateway.api.shapes import InstitutionName, Limits, Shape


class ManagedConsent(Limits):
    consent_id = serializers.CharField(help_text="Opaque, and this platform's alone.")
    status = serializers.ChoiceField(choices=list(ConsentStatus), help_text="As of now.")
    status_reason = fields.text("A code.", required=True)
    status_initiator = serializers.ChoiceField(choices=list(Initiator), help_text="Whose hand it was.")
    status_changed_at = serializers.DateTimeField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(Scope)))
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=list(Purpose)))
    duration_type = serializers.ChoiceField(choices=list(DurationType))
    created_at = serializers.DateTimeField(help_text="When it was asked for.")
    authorised_at = fields.instant()
    expires_at = serializers.DateTimeField(help_text="Of an unanswered request: when it dies.")
    ended_at = fields.instant()


class ManagedConsents(Shape):
    consents = ManagedConsent(many=True)
    next_cursor = fields.text("For the next page; null on the last.", required=True)


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
