"""The audit chain: what is sealed cannot be changed unseen.

Two things the chain alone cannot show, and a test says so for each: entries cut from its very end, and a chain that
was sealed anew from the start by somebody who may write to the table. Against both the head (sequence and hash) has to
be kept somewhere else. Entries not yet sealed are not covered at all.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from consents import audit, tasks
from consents.audit import Actor
from consents.errors import AuditBroken
from consents.models import AuditEntry
from consents.states import Initiator
from tests.support.ledger import NOW

pytestmark = pytest.mark.django_db

LENGTH = 60
SEEDS = 200


def _write(count: int, *, start: int = 0) -> None:
    for number in range(start, start + count):
        audit.record(
            "consent.authorised",
            actor=Actor(initiator=Initiator.USER, pseudonym=uuid4(), request_id=f"req-{number}"),
            now=NOW + timedelta(seconds=number),
            user_pseudonym=uuid4(),
            consent_id=uuid4(),
            platform_id=uuid4(),
            institution_id=uuid4(),
            from_status="AWAITING_AUTHORISATION",
            to_status="AUTHORISED",
            reason_code="granted",
            details={"number": number},
        )


@pytest.fixture
def sealed() -> list[AuditEntry]:
    _write(LENGTH)
    audit.seal()
    return list(AuditEntry.objects.order_by("sequence"))


def test_an_untouched_chain_verifies(sealed: list[AuditEntry]) -> None:
    assert audit.verify() == LENGTH


def test_an_empty_trail_verifies_and_has_nothing_to_seal() -> None:
    assert (audit.seal(), audit.verify()) == (0, 0)


def test_entries_are_sealed_in_the_order_they_happened(sealed: list[AuditEntry]) -> None:
    assert [entry.details["number"] for entry in sealed] == list(range(LENGTH))
    assert [entry.sequence for entry in sealed] == list(range(1, LENGTH + 1))


def test_later_entries_join_the_same_chain(sealed: list[AuditEntry]) -> None:
    _write(5, start=LENGTH)

    assert audit.verify() == LENGTH
    assert audit.seal() == 5
    assert audit.verify() == LENGTH + 5


def test_a_sealer_that_waited_for_another_goes_on_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    _write(3)
    unsealed, others = AuditEntry.objects.filter, [4]

    def waited_for(*args: object, **criteria: object) -> object:
        if others:
            _write(others.pop(), start=3)
            assert audit.seal() == 7
            _write(2, start=1)  # they happened before, and are committed after
        return unsealed(*args, **criteria)

    monkeypatch.setattr(AuditEntry.objects, "filter", waited_for)

    assert audit.seal() == 2
    assert audit.verify() == 9


def test_the_sweep_seals_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SEAL_BATCH", 4)
    _write(11)

    tasks.sweep()

    assert audit.verify() == 11


def test_a_batch_is_bounded_and_the_rest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "SEAL_BATCH", 4)
    _write(6)

    assert [audit.seal(), audit.seal(), audit.seal()] == [4, 2, 0]
    assert audit.verify() == 6


# -- tampering --------------------------------------------------------------------------------------------------------

Tampering = Callable[[list[AuditEntry], random.Random], int]


def _change(entry: AuditEntry, **values: object) -> None:
    AuditEntry.objects.filter(id=entry.id).update(**values)


def an_entry_is_edited(chain: list[AuditEntry], dice: random.Random) -> int:
    entry = dice.choice(chain)
    field, value = dice.choice(
        [
            ("action", "consent.rejected"),
            ("initiator", "BANK"),
            ("actor_pseudonym", uuid4()),
            ("user_pseudonym", None),
            ("consent_id", uuid4()),
            ("platform_id", uuid4()),
            ("institution_id", uuid4()),
            ("from_status", "PAUSED"),
            ("to_status", "REJECTED"),
            ("reason_code", "other"),
            ("details", {"number": -1}),
            ("request_id", "req-x"),
            ("occurred_at", entry.occurred_at + timedelta(microseconds=1)),
            ("hash", "f" * 64),
            ("previous_hash", "f" * 64),
            ("id", uuid4()),
        ]
    )
    _change(entry, **{field: value})
    assert entry.sequence is not None
    return entry.sequence


def an_entry_is_edited_and_its_own_hash_made_to_fit(chain: list[AuditEntry], dice: random.Random) -> int:
    entry = dice.choice(chain[:-1])  # the last one's hash is seen by nobody: that is the end of the chain
    entry.to_status = "REJECTED"
    _change(entry, to_status="REJECTED", hash=audit._hash(entry))
    assert entry.sequence is not None
    return entry.sequence + 1


def an_entry_is_deleted(chain: list[AuditEntry], dice: random.Random) -> int:
    entry = dice.choice(chain[:-1])
    entry_sequence = entry.sequence
    AuditEntry.objects.filter(id=entry.id).delete()
    assert entry_sequence is not None
    return entry_sequence


def an_entry_is_taken_out_and_the_rest_renumbered(chain: list[AuditEntry], dice: random.Random) -> int:
    at = dice.randrange(len(chain) - 1)
    AuditEntry.objects.filter(id=chain[at].id).delete()
    for entry in chain[at + 1 :]:
        assert entry.sequence is not None
        _change(entry, sequence=entry.sequence - 1)
    return at + 1


def two_entries_change_places(chain: list[AuditEntry], dice: random.Random) -> int:
    left, right = sorted(dice.sample(range(len(chain)), 2))
    first, second = chain[left], chain[right]
    _change(first, sequence=10_000)
    _change(second, sequence=first.sequence)
    _change(first, sequence=second.sequence)
    return left + 1


def a_stretch_in_the_middle_is_cut(chain: list[AuditEntry], dice: random.Random) -> int:
    start = dice.randrange(len(chain) - 2)
    end = dice.randrange(start + 1, len(chain) - 1)
    AuditEntry.objects.filter(sequence__gt=start, sequence__lte=end).delete()
    return start + 1


def an_entry_is_unsealed(chain: list[AuditEntry], dice: random.Random) -> int:
    entry = dice.choice(chain[:-1])
    _change(entry, sequence=None)
    assert entry.sequence is not None
    return entry.sequence


TAMPERINGS: list[Tampering] = [
    an_entry_is_edited,
    an_entry_is_edited_and_its_own_hash_made_to_fit,
    an_entry_is_deleted,
    an_entry_is_taken_out_and_the_rest_renumbered,
    two_entries_change_places,
    a_stretch_in_the_middle_is_cut,
    an_entry_is_unsealed,
]


def test_two_hundred_random_tamperings_are_all_found_where_they_happened(sealed: list[AuditEntry]) -> None:
    from django.db import transaction

    class Undo(Exception): ...

    for seed in range(SEEDS):
        dice = random.Random(seed)
        tamper = TAMPERINGS[seed % len(TAMPERINGS)]
        chain = list(AuditEntry.objects.order_by("sequence"))
        with pytest.raises(Undo), transaction.atomic():
            place = tamper(chain, dice)

            with pytest.raises(AuditBroken) as broken:
                audit.verify()

            assert broken.value.sequence == place, (seed, tamper.__name__)
            raise Undo
    assert audit.verify() == LENGTH


def test_the_end_cut_off_is_not_found_without_a_head_kept_elsewhere(sealed: list[AuditEntry]) -> None:
    """A known limit, and why an operator exports the head: what is left is a whole, shorter chain."""
    AuditEntry.objects.filter(sequence__gt=LENGTH - 10).delete()

    assert audit.verify() == LENGTH - 10


def test_a_chain_sealed_anew_is_not_found_without_a_head_kept_elsewhere(sealed: list[AuditEntry]) -> None:
    """The other known limit; against an exported head it shows, because the hashes are others."""
    head = sealed[-1].hash
    AuditEntry.objects.filter(sequence=1).update(to_status="REJECTED")
    AuditEntry.objects.update(sequence=None, previous_hash="", hash="")

    audit.seal()

    assert audit.verify() == LENGTH
    assert AuditEntry.objects.get(sequence=LENGTH).hash != head
