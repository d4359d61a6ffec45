"""What an edge has in force that does what the benchmark says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bench import armed, ruled
from bench.ruled import Rule, Rules
from holdfast.edge.dataplane.rules.features import bit
from holdfast.edge.dataplane.verdicts import shield_facts, template_of
from holdfast.edge.traffic.sampling import BUDGET

NOW = datetime(2026, 11, 27, tzinfo=UTC)
RULES = Rules([Rule("shop"), Rule("news", "deny", ("agent",), ("6",))], {"shop": 40_000.0}, {"shop": 400_000})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ruled.write(tmp_path, RULES)
    assert ruled.read(tmp_path) == RULES


def test_a_site_has_its_own_rules() -> None:
    (news,) = ruled.mitigations(RULES, "news", NOW)
    assert (news.site, news.action.value, news.features, news.values) == ("news", "deny", ("agent",), ("6",))
    assert (news.until - NOW).total_seconds() == ruled.SECONDS


def test_as_many_are_sampled_as_the_agent_would_choose() -> None:
    assert ruled.sampling({"busy": 20 * BUDGET, "calm": BUDGET / 2}) == {"busy": 500}


def test_the_armed_site_has_five_templates_beside_the_challenge() -> None:
    rules = Rules([*armed.SIGNATURES, Rule(armed.NAME)], {}, {})
    facts = shield_facts("7", ruled.mitigations(rules, armed.NAME, NOW), "0:0:0")
    templates = {template_of(each.features) for each in rules.rules}
    assert len(templates) == 6
    assert facts.maps["masks", "7"] == str(sum(map(bit, templates)))
    assert {len(each.features) for each in armed.SIGNATURES} == {1, 2, 3}
