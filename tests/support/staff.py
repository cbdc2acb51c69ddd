"""People who work at a bank, and what they act as."""

from consents.audit import Actor
from consents.states import Initiator

BY_BANK = Actor(initiator=Initiator.BANK, request_id="req_test_bank")
