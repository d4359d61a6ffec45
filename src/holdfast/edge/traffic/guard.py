"""The shell around the shield: reads counters and samples, has each site's brain decide, pushes what it
decides. Ten times a second; HAProxy is asked on the connection for scans, so that no change waits for it.

What is pushed is part of the desired state: HAProxy keeps its ends by itself, so that mitigations expire even
if this agent dies, and the next one takes them over.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

import numpy as np
import structlog

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.runtime import Runtime, RuntimeLostError
from holdfast.edge.dataplane.verdicts import template_of
from holdfast.edge.desired import Desired
from holdfast.edge.reconcile import Reconciler
from holdfast.edge.shielded import EVERYBODY, Known, Unit
from holdfast.edge.traffic import counters
from holdfast.edge.traffic.alert_words import Alert, alert_of
from holdfast.edge.traffic.archivist import Archivist
from holdfast.edge.traffic.intake import Intake
from holdfast.edge.traffic.notes import Notes, attack_document, brain_of, site_document, take_over
from holdfast.edge.traffic.sampling import allot
from holdfast.model.ban import LONGEST_BAN, Ban, counted_as, parse_network
from holdfast.model.errors import HoldfastError, error
from holdfast.model.mitigation import Action, Mitigation
from holdfast.model.site import Site
from holdfast.shield.brain import SiteBrain
from holdfast.shield.counts import Counts
from holdfast.shield.difficulty import EASIEST, Difficulty, next_difficulty
from holdfast.shield.features import Feature
from holdfast.shield.rhythm import idle_minutes
from holdfast.shield.sample import Sample

TICK_SECONDS: Final = 0.1
MOST_BUSY: Final = 25
"""Sites under suspicion that are looked at in one tick; the others wait for the next."""
LINGER_SECONDS: Final = 600.0
KNOWN_SAMPLES: Final = 500
"""Clean samples from which on a site's familiar agents mean something."""
MOST_VALUES: Final = 1500
KNOWN_SECONDS: Final = 300.0
"""Between two looks at what a site knows."""
SAVE_SECONDS: Final = 60.0
CRAWLER_SECONDS: Final = 86_400.0
MOST_BANS: Final = 500
"""Sources banned in one tick."""
BANNED_AFTER: Final = 3
"""Samples of a source that a mitigation drops."""

log = structlog.get_logger()


class Guard:
    """One edge's. ``run`` never ends; the rest is for people's commands, and for what others show."""

    def __init__(
        self,
        runtime: Runtime,
        desired: Desired,
        reconciler: Reconciler,
        intake: Intake,
        notes: Notes,
        archivist: Archivist,
        *,
        tell: Callable[[Alert], None] = lambda alert: None,
        consider: Callable[[str, str], None] = lambda client, agent: None,
        watch_only: bool = False,
        clock: Callable[[], float] = time.time,
        seed: int | None = None,
    ) -> None:
        """``tell`` takes alerts; ``consider`` is given clients that may be crawlers."""
        self.brains: dict[str, SiteBrain] = {}
        self.unknown_hosts = 0
        """Samples of requests for hosts that no site has."""
        self.slowest_tick = 0.0
        self.archivist = archivist
        self.switched: set[str] = set()
        """Sites whose owner has switched 'under attack' on at run time."""
        self._runtime = runtime
        self._desired = desired
        self._reconciler = reconciler
        self._intake = intake
        self._notes = notes
        self._tell = tell
        self._consider = consider
        self._watch_only = watch_only
        self._clock = clock
        self._rng = np.random.default_rng(seed)
        self._totals: dict[str, counters.Totals] = {}
        self._looked: dict[str, float] = {}
        """When each site was looked at last."""
        self._known_at: dict[str, float] = {}
        self._lingers: dict[str, float] = {}
        self._difficulties: dict[str, Difficulty] = {}
        """Of sites where clearances are being earned."""
        self._waiting: dict[str, list[Sample]] = {}
        """Samples of sites whose turn was not this tick."""
        self._crawlers: dict[str, float] = {}
        """Verified ones as they are counted, and until when."""
        self._saved = 0.0
        self._attacks_saved: object = None
        self._saving = asyncio.Lock()
        self._turn = 0
        self._previous = 0.0
        """When all sites were looked at before."""

    # -- the loop ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look, decide and push until cancelled."""
        while True:
            started = time.monotonic()
            try:
                await self.tick()
            except RuntimeLostError as lost:
                log.info("no counters to look at", why=str(lost))
                self._totals.clear()
            self.slowest_tick = max(self.slowest_tick, time.monotonic() - started)
            await asyncio.sleep(max(0.02, TICK_SECONDS - (time.monotonic() - started)))

    def begin(self) -> None:
        """Take over what the agent before this one has left, as a part of the desired state: before HAProxy
        is started, or adopted."""
        now = self._clock()
        self.switched = self._notes.read_switched()
        documents = self._notes.read_attacks()
        self.archivist.recall(now)
        for name, site in self._desired.sites.items():
            if name in documents:
                take_over(self._brain(name, now), documents[name], now)
            if name in documents or name in self.switched or site.under_attack:
                self._push(name, self._brain(name, now), now)
        self.archivist.settle(self.brains, now)

    async def close(self) -> None:
        """After the last look: what is on record is kept."""
        await self.archivist.close(self._clock())

    async def tick(self) -> None:
        """One look at all sites."""
        rows = answers.table(await self._runtime.scan("show table sites data.http_req_rate gt 0"))
        # Not before: while all cores are busy the answer takes its time, and tells what has come meanwhile.
        now = self._clock()
        totals: dict[str, counters.Totals] = {row.key: row.counters for row in rows}
        names = {str(number): name for name, number in self._desired.ids.items()}
        self._sort(self._intake.take(), names)
        units: set[Unit] = set()
        rates: dict[str, float] = {}
        busy = []
        for number, (sid, total) in enumerate(totals.items()):
            if number % 50 == 49:
                await asyncio.sleep(0)  # a block must not wait for a thousand sites
            name = names.get(sid)
            if name is None:
                if sid == EVERYBODY:
                    rates[EVERYBODY] = self._counts(EVERYBODY, total, now).requests / TICK_SECONDS
                continue
            brain = self._brain(name, now)
            if brain.is_busy:
                busy.append((name, total))
            else:
                units |= self._decide(name, brain, total, now, rates)
        for name, total in self._turns(busy):
            units |= self._decide(name, self.brains[name], total, now, rates)
            await asyncio.sleep(0)
        for name in [name for name, brain in self.brains.items() if self._needs_a_look(name, brain)]:
            if name in self._desired.sites and str(self._desired.ids[name]) not in totals:
                units |= self._decide(name, self.brains[name], {}, now, rates)
        units |= self._desired.shielded.put_sampling(allot(rates, self._desired.shielded.sampling))
        if units:
            self._reconciler.want(units)
        self._previous = now
        await self._save(now)

    def _needs_a_look(self, name: str, brain: SiteBrain) -> bool:
        """Whether time alone may change something there."""
        return (
            brain.is_busy or bool(brain.response.standing) or name in self._lingers or name in self.switched
        )

    def _turns(self, busy: list[tuple[str, counters.Totals]]) -> list[tuple[str, counters.Totals]]:
        if len(busy) <= MOST_BUSY:
            return busy
        self._turn = (self._turn + MOST_BUSY) % len(busy)
        return (busy + busy)[self._turn : self._turn + MOST_BUSY]

    def _sort(self, samples: Iterable[Sample], names: dict[str, str]) -> None:
        for sample in samples:
            name = names.get(sample.site)
            if name is None:
                self.unknown_hosts += 1
                continue
            self._waiting.setdefault(name, []).append(sample)
            self._consider(sample.address, sample.agent)

    def _counts(self, name: str, total: counters.Totals, now: float) -> Counts:
        """What has come since the site was looked at. A first look tells only where the totals stand."""
        before, last = self._totals.get(name), self._looked.get(name)
        self._totals[name], self._looked[name] = total or before or {}, now
        if before is None or last is None or now <= last:  # the clock was set back
            return Counts(now, 0.0)
        return counters.since(before, total or before, now, max(now - last, 1e-3))

    def _decide(
        self, name: str, brain: SiteBrain, total: counters.Totals, now: float, rates: dict[str, float]
    ) -> set[Unit]:
        if name not in self._desired.sites:  # it has gone while others were looked at
            return set()
        last = self._looked.get(name)
        if last is not None and last < self._previous and not brain.is_busy:
            # Nothing has come until the look before, or its row would have been there.
            for at, seconds in idle_minutes(last, self._previous):
                brain.baseline.learn_rate(at, 0, seconds)
            self._looked[name] = self._previous
        counts = self._counts(name, total, now)
        if counts.seconds > 0:
            rates[name] = counts.requests / counts.seconds
        samples = self._waiting.pop(name, [])
        brain.tick(now, counts, samples, self._rng)
        self.archivist.count(brain, counts, samples)
        self._harden(name, brain, counts)
        return self._push(name, brain, now)

    def _harden(self, name: str, brain: SiteBrain, counts: Counts) -> None:
        """The proof of work gets harder while clearances are earned faster than visitors come."""
        before = self._difficulties.get(name, EASIEST)
        if before is EASIEST and not counts.earned:
            return
        following = next_difficulty(before, counts.at, counts.earned, counts.seconds, brain.usual_rate)
        if following.is_easiest:
            self._difficulties.pop(name, None)
        else:
            self._difficulties[name] = following

    # -- pushing -------------------------------------------------------------------------------------

    def _push(self, name: str, brain: SiteBrain, now: float) -> set[Unit]:
        site = self._desired.sites[name]
        for attack, note in brain.news:
            log.info("attack", site=name, attack=attack.id, what=note.kind, words=note.words)
            self._tell(alert_of(site, attack, note))
        brain.news.clear()
        mitigations = self._wanted(site, brain, now)
        self.archivist.follow(now, brain, mitigations)
        if any(each.action is Action.CHALLENGE for each in mitigations):
            self._lingers[name] = now + LINGER_SECONDS
        lingers = self._lingers.get(name, 0.0) > now
        if not lingers:
            self._lingers.pop(name, None)
        units: set[Unit] = set()
        shielded = self._desired.shielded
        is_due = now - self._known_at.get(name, 0.0) > KNOWN_SECONDS
        if (brain.is_busy or mitigations) and not (known := shielded.known.get(name, Known())).networks:
            units |= shielded.put_known(name, self._known(brain, now, whole=True) or known)
        elif is_due:
            self._known_at[name] = now
            units |= shielded.put_known(
                name, self._known(brain, now, whole=brain.is_busy or bool(mitigations))
            )
        units |= shielded.put_mitigations(name, mitigations, lingers=lingers)
        difficulty = self._difficulties.get(name, EASIEST)
        units |= shielded.put_difficulty(name, difficulty.tries if difficulty.level else None)
        return units | self._ban(brain, now)

    def _wanted(self, site: Site, brain: SiteBrain, now: float) -> tuple[Mitigation, ...]:
        wanted = brain.response.mitigations()
        if (site.under_attack or site.name in self.switched) and all(each.features for each in wanted):
            wanted += (self._switched(site, now),)
        if site.watch_only or self._watch_only:
            wanted = tuple(dataclasses.replace(each, action=Action.OBSERVE) for each in wanted)
        return wanted

    def _switched(self, site: Site, now: float) -> Mitigation:
        """The owner's switch: everybody is challenged. Its end moves on every half minute."""
        begun = datetime.fromtimestamp(now // 30 * 30, UTC)
        return Mitigation(
            id=f"{site.name}-under-attack",
            site=site.name,
            action=Action.CHALLENGE,
            features=(),
            values=(),
            reason="the site's owner has switched 'under attack' on",
            since=begun,
            until=begun + timedelta(seconds=90),
            author="owner",
            harm=1.0,
            pinned=True,
        )

    def _known(self, brain: SiteBrain, now: float, *, whole: bool) -> Known | None:
        baseline = brain.baseline
        if baseline.clean_samples < KNOWN_SAMPLES:
            return None
        values = {
            feature: frozenset(sorted(baseline.familiar(feature))[:MOST_VALUES])
            for feature in (Feature.AGENT, Feature.NAMES)
        }
        if not whole:
            return Known(values)
        friends = frozenset((each.network, each.agent) for each in baseline.friends())
        return Known(values, brain.known_networks(now), friends)

    def _ban(self, brain: SiteBrain, now: float) -> set[Unit]:
        """The sources of what is dropped, but none whose network some site knows: addresses are shared."""
        dropped = {each.id for each in brain.response.mitigations() if each.action is Action.DROP}
        if not dropped or self._watch_only or self._desired.sites[brain.site].watch_only:
            return set()
        units: set[Unit] = set()
        until = datetime.fromtimestamp(now, UTC) + LONGEST_BAN
        for client, network in brain.dropped_clients(dropped, BANNED_AFTER)[:MOST_BANS]:
            if any(each.baseline.knows(network, now) for each in self.brains.values()):
                continue
            source = parse_network(f"{client}/64" if ":" in client else client)
            present = self._desired.bans.get(source)
            if present is None or present.until < until - LONGEST_BAN / 2:
                units |= self._desired.put_ban(Ban(source, until, f"flood at {brain.site}"))
        return units

    def spare_crawler(self, address: str) -> None:
        """Somebody who has shown to be the crawler that he says he is: exempt for a day."""
        client = counted_as(ip_address(address))
        self._crawlers[client] = self._clock() + CRAWLER_SECONDS
        self._spare_crawlers()

    def _spare_crawlers(self) -> None:
        now = self._clock()
        self._crawlers = {client: until for client, until in self._crawlers.items() if until > now}
        units = self._desired.shielded.put_crawlers(set(self._crawlers))
        if units:
            self._reconciler.want(units)

    # -- notes ---------------------------------------------------------------------------------------

    def _brain(self, name: str, now: float) -> SiteBrain:
        brain = self.brains.get(name)
        if brain is None:
            brain = self.brains[name] = brain_of(name, self._notes.read_site(name), now)
        return brain

    async def _save(self, now: float) -> None:
        """Attacks at once, baselines every minute, in a thread; records when they are due."""
        self.archivist.keep(now, self._desired.sites)
        await self._save_attacks()
        if now - self._saved > SAVE_SECONDS:
            self._saved = now
            self._spare_crawlers()
            for brain in self.brains.values():
                brain.forget(now)
            for name in [name for name in self.brains if name in self._desired.sites]:
                await asyncio.to_thread(self._notes.write_site, name, site_document(self.brains[name]))
            for name in [name for name in self.brains if name not in self._desired.sites]:
                del self.brains[name]

    async def _save_attacks(self) -> None:
        """What goes on, if it has changed: the next agent must not bring back what a person has undone."""
        async with self._saving:
            going_on = {
                name: brain for name, brain in self.brains.items() if brain.attack or brain.response.standing
            }
            state = [
                (name, brain.response.mitigations(), brain.attack is None, set(brain.response.undone))
                for name, brain in going_on.items()
            ]
            if state != self._attacks_saved:
                self._attacks_saved = state
                documents = {name: attack_document(brain) for name, brain in going_on.items()}
                await asyncio.to_thread(self._notes.write_attacks, documents)

    # -- people --------------------------------------------------------------------------------------

    def mitigations(self) -> list[Mitigation]:
        """Everything that is in force, by site."""
        return [each for _, listed in sorted(self._desired.shielded.mitigations.items()) for each in listed]

    async def undo(self, identifier: str, *, forbid: bool) -> None:
        """Withdraw a mitigation, for this attack or for good. Raises HoldfastError."""
        now = self._clock()
        for name, brain in self.brains.items():
            if brain.undo(identifier, now, forbid=forbid):
                await asyncio.to_thread(self._notes.write_site, name, site_document(brain))
                await self._reconciler.settle(self._push(name, brain, now))
                await self._save_attacks()
                return
        raise _unknown(identifier)

    async def permit(self, site: str) -> int:
        """Take back all that was forbidden at a site; returns how many that were. Raises HoldfastError."""
        if site not in self._desired.sites:
            raise error(f"there is no site {site!r}", "see 'holdfast status'")
        brain = self._brain(site, self._clock())
        count = len(brain.response.forbidden)
        brain.response.forbidden.clear()
        await asyncio.to_thread(self._notes.write_site, site, site_document(brain))
        return count

    @property
    def samples(self) -> Mapping[str, int]:
        """How many were ``read``, ``malformed``, ``dropped``."""
        return self._intake.counts

    async def pin(self, identifier: str, until: datetime, author: str) -> None:
        """Keep a mitigation until then, whatever the flood does. Raises HoldfastError."""
        now = self._clock()
        for name, brain in self.brains.items():
            if brain.response.pin(identifier, until, author):
                await self._reconciler.settle(self._push(name, brain, now))
                await self._save_attacks()
                return
        raise _unknown(identifier)

    async def add(
        self,
        site: str,
        action: Action,
        features: tuple[str, ...],
        values: tuple[str, ...],
        until: datetime,
        author: str,
        reason: str,
    ) -> Mitigation:
        """One that a person wants, until then. Raises HoldfastError for an unknown site, and for features of
        which there is no template."""
        if site not in self._desired.sites:
            raise error(f"there is no site {site!r}", "see 'holdfast status'")
        try:
            template_of(features)
        except KeyError:
            raise error(
                f"no template has the features {', '.join(features)}", "see docs/explain/shield.md"
            ) from None
        now = self._clock()
        since = datetime.fromtimestamp(now, UTC)
        made = Mitigation(
            id=f"{site}-{since:%Y%m%dT%H%M%S}-{author}".replace(" ", "-"),
            site=site,
            action=action,
            features=features,
            values=values,
            reason=reason,
            since=since,
            until=until,
            author=author,
            harm=1.0,
            pinned=True,
        )
        brain = self._brain(site, now)
        brain.response.put(made, now)
        await self._reconciler.settle(self._push(site, brain, now))
        await self._save_attacks()
        return made

    def brain(self, site: str) -> SiteBrain:
        """That of a site of this edge."""
        return self._brain(site, self._clock())

    async def end_drill(self, site: str) -> None:
        """End the attack that a drill has left there, and withdraw what was done about it."""
        now = self._clock()
        brain = self._brain(site, now)
        brain.end_drill(now)
        await self._reconciler.settle(self._push(site, brain, now))

    async def switch(self, site: str, on: bool) -> None:
        """The owner's switch 'under attack', kept across restarts. Raises HoldfastError."""
        if site not in self._desired.sites:
            raise error(f"there is no site {site!r}", "see 'holdfast status'")
        (self.switched.add if on else self.switched.discard)(site)
        await asyncio.to_thread(self._notes.write_switched, set(self.switched))
        now = self._clock()
        await self._reconciler.settle(self._push(site, self._brain(site, now), now))


def _unknown(identifier: str) -> HoldfastError:
    return error(f"there is no mitigation {identifier!r}", "'holdfast mitigations' lists them")
