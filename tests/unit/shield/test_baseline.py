"""What a site's baseline knows after calm traffic, what it gives to whom, and how small it stays."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from holdfast.shield.baseline import (
    CANDIDATES,
    CLIENT_SHARE,
    FRIENDS,
    NETWORK_SHARE,
    NEW_NETWORKS,
    REGULAR_NETWORKS,
    SAMPLES,
    VISIT,
    YOUNG,
    Baseline,
    Friend,
)
from holdfast.shield.features import WIDTH, Feature, code
from holdfast.shield.sample import Sample

START = 1_700_000_000.0
BROWSERS = [f"Mozilla/5.0 (number {number}) Firefox" for number in range(40)]


def sample(
    at: float,
    client: int = 0,
    *,
    agent: str = BROWSERS[0],
    language: str = "en",
    path: str = "/",
    names: str = "host,user-agent,accept",
    status: int = 200,
    origin_ms: float = 20.0,
    weight: float = 1.0,
) -> Sample:
    values = [""] * (WIDTH - 1)
    values[Feature.AGENT], values[Feature.NAMES], values[Feature.PATH] = agent, names, path
    values[Feature.METHOD], values[Feature.LANGUAGE] = "GET", language
    values[Feature.NETWORK] = network(client)
    address = f"10.{client >> 16}.{client >> 8 & 255}.{client & 255}"
    return Sample(at, "1", address, tuple(values), weight, status, origin_ms, agent=agent)


def network(client: int) -> str:
    return f"10.{client >> 16}.{client >> 8 & 255}.0/24"


def calm(hours: float, a_minute: int = 60, start: float = START, seed: int = 5) -> Iterator[list[Sample]]:
    """Minutes of many clients, most of whom come again and again."""
    rng = np.random.default_rng(seed)
    for minute in range(int(hours * 60)):
        clients = (rng.pareto(0.5, a_minute) * 300).clip(0, 2**22).astype(int).tolist()
        yield [
            sample(
                start + 60 * minute + 60 * index / a_minute,
                client,
                agent=BROWSERS[client % 40],
                path=f"/{client % 97}",
                status=500 if client % 50 == 1 else 200,
                origin_ms=10.0 + client % 20,
            )
            for index, client in enumerate(clients)
        ]


def fed(hours: float = 3.0, a_minute: int = 60) -> tuple[Baseline, float]:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for minute in calm(hours, a_minute):
        baseline.learn_rate(minute[0].at, len(minute), 60)
        baseline.learn(minute, rng)
    return baseline, START + hours * 3600


def test_a_new_site_knows_nothing() -> None:
    baseline = Baseline.new(START)
    assert baseline.is_young(START + 2 * YOUNG)
    assert baseline.clean_samples == 0
    assert baseline.codes.shape == (0, WIDTH)
    assert (baseline.newcomers, baseline.errors, baseline.origin_ms(0.5)) == (1.0, 0.0, 0.0)
    assert baseline.encode([]).shape == (0, WIDTH)
    assert baseline.encode([sample(START)])[0, Feature.STRANGER] == 1
    assert baseline.friends() == ()
    assert baseline.familiar(Feature.AGENT) == frozenset()


def test_what_calm_traffic_looks_like() -> None:
    baseline, at = fed()
    assert baseline.clean_samples == SAMPLES
    assert not baseline.is_young(at)
    assert baseline.is_young(START + YOUNG - 1)
    assert 0.01 < baseline.errors < 0.04
    assert 0.05 < baseline.newcomers < 0.6
    assert baseline.origin_ms(0.5) == pytest.approx(20, rel=0.15)
    assert baseline.origin_ms(0.95) == pytest.approx(29, rel=0.15)
    assert baseline.expected(at, 1.0).mean == pytest.approx(1, rel=0.1)
    assert baseline.familiar(Feature.AGENT) == frozenset(BROWSERS)
    assert baseline.familiar(Feature.NAMES) == frozenset({"host,user-agent,accept"})
    assert set(baseline.codes[:, Feature.METHOD].tolist()) == {code("GET")}


def test_values_are_coded_as_everywhere() -> None:
    one = sample(START, 5, path="/é")
    row = Baseline.new(START).encode([one])[0].tolist()
    assert row == [*(code(value) for value in one.values), 1]


def test_a_network_is_a_stranger_for_the_whole_of_its_first_visit() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    baseline.learn([sample(START)], rng)
    for later, known in [(1.0, False), (VISIT - 1, False), (VISIT, True), (86_400.0, True)]:
        at = START + later
        assert baseline.knows(network(0), at) is known
        assert baseline.networks(at) == [network(0)][: int(known)]
        assert bool(baseline.encode([sample(at)])[0, Feature.STRANGER]) is not known
    assert not baseline.knows(network(1 << 8), START + VISIT)


def test_who_came_in_several_hours_is_known_better() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for hour in range(3):
        baseline.learn([sample(START + 3600 * hour)] * 5, rng)
    at = START + 2 * 3600
    assert [baseline.knows(network(0), at, hours) for hours in (1, 3, 4)] == [True, True, False]


def test_one_client_and_one_network_have_their_share_only() -> None:
    baseline, _ = fed()
    rng = np.random.default_rng(2)
    for index in range(200):
        at = START + 3 * 3600 + 60 * index
        baseline.learn([sample(at, 9_000_000, agent="greedy", path=f"/{index}")] * 500, rng)
        baseline.learn([sample(at, 9_100_032 + index, agent="network") for _ in range(500)], rng)
    agents = baseline.codes[:, Feature.AGENT]
    assert 0 < np.sum(agents == code("greedy")) <= SAMPLES * CLIENT_SHARE
    assert 0 < np.sum(agents == code("network")) <= SAMPLES * NETWORK_SHARE + 56  # two /24


def test_one_client_alone_does_not_end_a_sites_youth() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for minute in range(120):
        baseline.learn([sample(START + 60 * minute, 1)] * 200, rng)
    assert baseline.clean_samples == SAMPLES * CLIENT_SHARE
    assert baseline.is_young(START + 7200)


def test_hours_of_poison_have_hours_of_a_week() -> None:
    """A botnet sends ten times the usual for six hours, calmly enough to be learned, from everywhere."""
    baseline, at = fed(24)
    baseline.born -= 7 * 86_400  # of age
    rng = np.random.default_rng(3)
    for minute in range(360):
        now = at + 60 * minute
        poison = [sample(now, (minute * 600 + index) * 256 % 2**22, agent="poison") for index in range(600)]
        baseline.learn(poison, rng)
    share = np.mean(baseline.codes[:, Feature.AGENT] == code("poison"))
    assert 0 < share <= 6 * 36 / SAMPLES + 0.01 + 0.002  # room saved before, rounding


def test_regular_programs_are_friends_and_browsers_are_not() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for span in range(14):
        at = START + 600 * span
        baseline.learn(
            [
                sample(at, 256, agent="git/2.39", language="", weight=3),
                sample(at + 1, 256, agent="git/2.39", language="", weight=3),
                sample(at + 2, 512, agent="Mozilla/5.0 (compatible; Feedly/1.0)", language="en"),
                sample(at + 3, 768, agent="acme-erp 7", language=""),
                sample(at + 4, 1024, agent=BROWSERS[1], language=""),
                sample(at + 5, 1280, agent="acme-erp 7", language="de"),
                sample(at + 6, 1536, agent="", language=""),
            ],
            rng,
        )
        if span < 2:
            baseline.learn([sample(at + 7, 1792, agent="curl/8", language="")], rng)
    friends = {(friend.network, friend.agent): friend.rate for friend in baseline.friends()}
    assert friends == {
        (network(256), "git/2.39"): pytest.approx(0.01),
        (network(512), "Mozilla/5.0 (compatible; Feedly/1.0)"): pytest.approx(1 / 600),
        (network(768), "acme-erp 7"): pytest.approx(1 / 600),
    }


def test_two_hours_are_needed_to_become_a_friend() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for span in range(12):
        baseline.learn([sample(START + 600 * span, agent="curl/8", language="")] * 9, rng)
    assert baseline.friends() == ()
    baseline.learn([sample(START + 7200, agent="curl/8", language="")], rng)
    assert baseline.friends() == (Friend(network(0), "curl/8", baseline.friends()[0].rate),)
    assert baseline.friends()[0].rate == pytest.approx(9 / 600, rel=0.15)


def test_friends_that_come_most_stay_and_those_gone_for_long_are_forgotten() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for span in range(40):
        baseline.learn([sample(START + 600 * span, agent="old friend/1", language="")], rng)
    for span in range(40, 60):
        at = START + 600 * span
        baseline.learn([sample(at, n, agent=f"new/{n}", language="") for n in range(FRIENDS + 50)], rng)
    friends = [friend.agent for friend in baseline.friends()]
    assert len(friends) == FRIENDS
    assert "old friend/1" in friends
    for span in range(20):
        baseline.learn([sample(START + 30 * 86_400 + 600 * span, agent="later/1", language="")], rng)
    assert [friend.agent for friend in baseline.friends()] == ["later/1"]


def test_everything_has_a_cap() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for visit in range(3):
        for part in range(12):
            at = START + visit * 7200 + part * 60
            clients = (part * 1000 + index for index in range(1000))
            strange = [
                sample(at, client << 8, agent=f"bot {client} " + "x" * 400, path=f"/{client}", language="")
                for client in clients
            ]
            baseline.learn(strange, rng)
    assert len(baseline.networks(at + VISIT)) <= NEW_NETWORKS + REGULAR_NETWORKS
    assert baseline.clean_samples == SAMPLES
    assert len(baseline._programs._candidates) <= CANDIDATES
    assert len(json.dumps(baseline.document())) < 500_000
    assert baseline._clean._texts.size() < 300_000


def test_a_crowd_of_newcomers_does_not_push_out_the_regulars() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for hour in range(2):
        baseline.learn([sample(START + 3600 * hour, client << 8) for client in range(500)], rng)
    baseline.learn([sample(START + 7200, client << 8) for client in range(1000, 9000)], rng)
    assert all(baseline.knows(network(client << 8), START + 7200) for client in range(500))


def test_saved_small_and_whole() -> None:
    baseline, at = fed(24, 120)
    document = baseline.document()
    text = json.dumps(document)
    assert len(text) <= 200_000
    again = Baseline.from_document(json.loads(text))
    assert again.document() == document
    probe = next(calm(1, 500, at, 9))
    assert np.array_equal(again.encode(probe), baseline.encode(probe))
    assert np.array_equal(again.codes, baseline.codes)
    assert again.familiar(Feature.AGENT) == baseline.familiar(Feature.AGENT)
    assert again.friends() == baseline.friends()
    assert again.networks(at) == baseline.networks(at)
    assert again.newcomers == baseline.newcomers
    assert again.origin_ms(0.95) == baseline.origin_ms(0.95)


def test_of_more_networks_than_there_is_room_for_most_are_known_in_the_end() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for hour in range(24):
        for begin in range(0, 3000, 500):
            at = START + 3600 * hour + begin
            baseline.learn([sample(at, client << 8) for client in range(begin, begin + 500)], rng)
    assert len(baseline.networks(at + VISIT)) > 2900


def test_two_hundred_kilobytes_are_enough_when_all_is_full() -> None:
    """Every sample has a path of its own, every client a network of its own; hundreds of agents."""
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    for hour in range(16):
        clients = [client * 7919 % 2**16 << 8 for client in range(5000 if hour < 15 else 20_000)]
        for begin in range(0, len(clients), 500):
            at = START + 3600 * hour + begin / 5
            window = [
                sample(
                    at, client, agent=f"Mozilla/5.0 (system {client % 700}) Firefox", path=f"/{hour}/{client}"
                )
                for client in clients[begin : begin + 500]
            ]
            baseline.learn_rate(at, 500, 100)
            baseline.learn(window, rng)
    for _ in range(20):
        at += 600
        tools = [sample(at, number << 8, agent=f"tool/{number}", language="") for number in range(FRIENDS)]
        baseline.learn(tools, rng)
    assert baseline.clean_samples == SAMPLES
    assert len(baseline.networks(at)) > 0.95 * (NEW_NETWORKS + REGULAR_NETWORKS)
    assert len(baseline.friends()) == FRIENDS
    assert len(json.dumps(baseline.document())) <= 200_000


def test_what_was_loaded_learns_on_as_what_was_saved() -> None:
    """But for who is who: that is not saved, so each client's part is counted anew."""
    baseline, at = fed()
    again = Baseline.from_document(baseline.document())
    for each in (baseline, again):
        rng = np.random.default_rng(7)
        for minute in calm(1, 60, at, 8):
            each.learn(minute, rng)
    assert len(again.codes) == len(baseline.codes)
    assert again.networks(at + 3600) == baseline.networks(at + 3600)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": "AAAA"},
        {"rows": 7},
        {"rhythm": {}},
        {"usual": [1]},
        {"born": None},
        {"visits": "eJwDAAAAAAE="},
    ],
)
def test_what_is_no_baseline_is_refused(change: dict[str, object]) -> None:
    baseline, _ = fed(0.1)
    with pytest.raises(ValueError, match="no baseline"):
        Baseline.from_document(baseline.document() | change)
    with pytest.raises(ValueError, match="no baseline"):
        Baseline.from_document({})


def test_only_agents_and_names_are_kept_as_text() -> None:
    with pytest.raises(ValueError, match="PATH is not kept as text; AGENT, NAMES are"):
        Baseline.new(START).familiar(Feature.PATH)


def test_a_value_of_one_client_is_not_familiar() -> None:
    baseline, rng = Baseline.new(START), np.random.default_rng(1)
    baseline.learn([sample(START, 1, agent="only"), sample(START, 2), sample(START, 300)], rng)
    assert baseline.familiar(Feature.AGENT) == frozenset({BROWSERS[0]})
