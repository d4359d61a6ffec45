"""One sampled request, as the shield sees it."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.shield.features import WIDTH


@dataclass(frozen=True, slots=True)
class Sample:
    """A request and its answer. What names a person is the client's address only; samples are kept for
    minutes (see ``docs/explain/privacy.md``)."""

    at: float
    """When it came, in seconds of unix time."""
    site: str
    """The site's id in the data plane; ``-`` for a host that no site has."""
    client: str
    """IPv4 address or IPv6 /64, as text."""
    values: tuple[str, ...]
    """One for each ``Feature`` but ``STRANGER``, which is the site's to say; empty: absent."""
    weight: float = 1.0
    """How many requests it stands for."""
    status: int = 200
    """Of the answer; 0: there was none."""
    origin_ms: float = 0.0
    """How long the origin took until its answer began; 0: it was not asked."""
    queue_ms: float = 0.0
    """How long it waited for the origin."""
    verdict: str = ""
    """What the shield did with it: the id of a mitigation, or empty."""
    cleared: bool = False
    """Whether it carried a valid clearance."""
    path: str = ""
    """As evidence, cut."""
    agent: str = ""
    arrived: bool = False
    """It has just come: a second sample of the same request will tell how it was answered."""
    told: bool = False
    """It is that second one."""
    address: str = ""
    """The client's whole address: of IPv6 more than ``client``."""

    def __post_init__(self) -> None:
        if len(self.values) != WIDTH - 1:
            raise ValueError(f"{len(self.values)} values, not {WIDTH - 1}")

    @property
    def reached_origin(self) -> bool:
        return self.origin_ms > 0

    @property
    def touched(self) -> bool:
        """Whether a mitigation kept it from the origin."""
        return bool(self.verdict) and not self.reached_origin
