"""Follows the log of events, so that a stop is known here even while nobody looks at a page."""

import sys
import time
from threading import Thread
from typing import Any

from examples.budget.sluice import Refused, Sluice, TokenRefused, Unreachable
from examples.budget.store import Store
from examples.budget.words import ENDED_BY_STATUS

PAUSE_SECONDS = 5.0
#: Event type -> how the consent ended.
_ENDINGS = {"consent.revoked": "consent_revoked", "consent.expired": "consent_expired"}


class Follower:
    def __init__(self, sluice: Sluice, store: Store) -> None:
        self._sluice = sluice
        self._store = store

    def start(self) -> None:
        Thread(target=self._for_ever, daemon=True).start()

    def follow(self) -> None:
        """All there is to hear now. Raises Refused, TokenRefused, Unreachable; what was done until then stays done."""
        while True:
            try:
                page = self._sluice.events(self._store.position())
            except Refused as refused:
                if refused.code != "events_gone" or refused.next_after is None:
                    raise
                self._look_at_every_consent()
                self._store.move_to(refused.next_after)
                continue
            for event in page["events"]:
                self._act_on(event)
            self._store.move_to(page["next_after"])
            if page["events"]:
                # For a revocation this says: what was held under it is deleted. The tokens were, just above.
                self._sluice.acknowledge(page["next_after"])
            if not page["has_more"]:
                return

    def _act_on(self, event: dict[str, Any]) -> None:
        if code := _ENDINGS.get(event["type"]):
            self._store.end(event["consent_id"], code=code, by=event["details"].get("initiator", ""))
        self._store.note(event)

    def _look_at_every_consent(self) -> None:
        for consent_id in self._store.live_consents():
            found = self._sluice.consent(consent_id)
            if code := ENDED_BY_STATUS.get(found["status"]):
                self._store.end(consent_id, code=code, by=found["status_initiator"])

    def _for_ever(self) -> None:
        while True:
            pause = PAUSE_SECONDS
            try:
                self.follow()
            except Refused as refused:
                pause = max(pause, refused.retry_after or 0)
                print(f"events: {refused}", file=sys.stderr, flush=True)
            except (TokenRefused, Unreachable) as error:
                print(f"events: {type(error).__name__} {error}", file=sys.stderr, flush=True)
            time.sleep(pause)
