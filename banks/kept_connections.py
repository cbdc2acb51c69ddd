"""The connections to banks that this process keeps: each institution's apart, whoever's job comes next.

They save a TCP and TLS handshake a job and the loading of certificates. What a customer's call carries is in its
request alone: nothing of it stays with the connection (banks.pinned). How many calls a bank takes at once is the gate's
to say.
"""

import os
import threading
from collections import OrderedDict
from uuid import UUID

import certifi

from banks.http.exchanges import HttpLimits
from banks.pinned import KeptConnections

#: Institutions whose connections are kept; the one called longest ago gives way.
INSTITUTIONS_MAX = 200
#: Idle connections of one institution.
CONNECTIONS_MAX = 64

_kept: OrderedDict[UUID, KeptConnections] = OrderedDict()
_lock = threading.Lock()


def of(institution_id: UUID, *, jobs_max: int) -> KeptConnections:
    """This institution's, and no other's; as many as it takes jobs at once are kept."""
    connections_max = min(max(jobs_max, 1), CONNECTIONS_MAX)
    gone: list[KeptConnections] = []
    with _lock:
        found = _kept.get(institution_id)
        if found is None or found.connections_max != connections_max:
            gone += [found] if found is not None else []
            found = _kept[institution_id] = KeptConnections(
                connections_max=connections_max,
                connect_timeout=HttpLimits().connect_timeout,
                certificate=None,
                certificate_authorities=certifi.where(),
            )
        _kept.move_to_end(institution_id)
        if len(_kept) > INSTITUTIONS_MAX:
            gone.append(_kept.popitem(last=False)[1])
    for connections in gone:
        connections.close()
    return found


def close_all() -> None:
    """Close what is idle, of every institution."""
    with _lock:
        gone = list(_kept.values())
        _kept.clear()
    for connections in gone:
        connections.close()


def _forget() -> None:
    """In a forked child: the sockets are its parent's."""
    global _lock
    _lock = threading.Lock()
    _kept.clear()


os.register_at_fork(after_in_child=_forget)
