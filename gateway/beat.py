"""What sends the ticks: Celery's scheduler, kept in memory, waking when something is due and not before."""

from celery.beat import Scheduler as CelerysOwn


class Scheduler(CelerysOwn):
    def adjust(self, n: float, drift: float = 0.0) -> float:
        """Seconds to wait, as they are.

        Celery's takes 10 ms off, and for these 10 ms of every tick beat asks again and again whether it is time: with
        beat as a thread, all others wait for the interpreter meanwhile.
        """
        return n
