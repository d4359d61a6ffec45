"""Which alerts one receiver is still to be told, and in which order.

Pure: the clock is a parameter. Not here: what an alert says (``alert_words``), and what happens to one that
is not delivered at once (``alerts``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from holdfast.edge.traffic.alert_words import MOST_FACTS, Alert


@dataclass(slots=True)
class Waiting:
    """An alert whose turn has not come."""

    alert: Alert
    told: float
    """When it was told first; its deadline counts from here."""
    not_before: float
    """When its turn comes at the earliest."""
    merged: int = 0
    """How many changes it stands for besides itself."""

    def whole(self) -> Alert:
        """The alert, saying what was merged into it."""
        if not self.merged:
            return self.alert
        note = ("changes before this one, merged", str(self.merged))
        return replace(self.alert, facts=(*self.alert.facts[: MOST_FACTS - 1], note))


class Backlog:
    """What one receiver is still to be told, in order, of bounded length. ``clock`` is any steady one.

    Of one attack at most one change is told in ``window`` seconds: further ones wait for the window's end as
    one, the newest. The end of the attack does not wait for that.
    """

    def __init__(self, length: int, window: float, clock: Callable[[], float]) -> None:
        self._length = length
        self._window = window
        self._clock = clock
        self._waiting: list[Waiting] = []
        self._windows: dict[tuple[str, str], float] = {}
        """Site and attack → end of the window of its last change."""
        self.counts: Counter[str] = Counter()
        """``merged`` and ``dropped``."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, alert: Alert) -> None:
        """Never refuses: where there is no room, the oldest change is dropped, or else the oldest alert."""
        now = self._clock()
        same = [each for each in self._waiting if _attack(each.alert) == _attack(alert)]
        if alert.event != "changes":
            for each in same:  # what happened before it is told before it
                each.not_before = now
            self._waiting.append(Waiting(alert, now, now))
        elif same and same[-1].alert.event == "changes" and now < same[-1].not_before + self._window:
            same[-1].alert = alert
            same[-1].merged += 1
            self.counts["merged"] += 1
        else:
            self._waiting.append(Waiting(alert, now, max(now, self._windows.get(_attack(alert), now))))
        if len(self._waiting) > self._length:
            self._drop()

    def _drop(self) -> None:
        changes = [place for place, each in enumerate(self._waiting) if each.alert.event == "changes"]
        del self._waiting[changes[0] if changes else 0]
        self.counts["dropped"] += 1

    def take(self) -> Waiting | float:
        """The next whose turn it is, which is then no longer waiting; or else after how many seconds there
        may be one (infinite: when one is added)."""
        now = self._clock()
        self._windows = {attack: end for attack, end in self._windows.items() if end > now}
        for place, each in enumerate(self._waiting):
            if each.not_before <= now:
                if each.alert.event == "changes":
                    self._windows[_attack(each.alert)] = now + self._window
                return self._waiting.pop(place)
        return min((each.not_before - now for each in self._waiting), default=float("inf"))


def _attack(alert: Alert) -> tuple[str, str]:
    return alert.site, alert.attack
