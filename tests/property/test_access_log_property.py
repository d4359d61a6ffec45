"""For all entries: written and parsed again they are the same; for all texts: a line or a reason, and no
exception; for all orders of lines: none is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.replay.access_log import Entry, fault, line_of, parse
from holdfast.replay.order import AHEAD_SECONDS, WAIT_SECONDS, Order
from holdfast.replay.telling import is_request, tell
from holdfast.shield.features import WIDTH

texts = st.text(st.characters(codec="utf-8"), max_size=60)
quoted = texts.filter(lambda text: text != "-")
hosts = st.from_regex(r"[0-9a-zA-Z:._-]{1,40}", fullmatch=True).filter(lambda text: not text.endswith(":"))
zones = st.integers(-14 * 4, 14 * 4).map(lambda quarters: quarters * 900)
told = st.one_of(st.tuples(quoted, quoted), st.just((None, None)))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    referer, agent = draw(told)
    return Entry(
        draw(st.integers(0, 4_000_000_000)),
        draw(zones),
        draw(hosts),
        draw(texts),
        draw(st.one_of(st.just(0), st.integers(100, 999))),
        draw(st.one_of(st.none(), st.integers(0, 10**12))),
        referer,
        agent,
    )


@given(entries())
def test_an_entry_is_the_same_after_there_and_back(entry: Entry) -> None:
    assert parse(line_of(entry)) == entry


@given(st.one_of(texts, entries().map(line_of), st.tuples(entries().map(line_of), st.integers(0, 200))))
def test_any_text_is_a_line_or_has_a_fault(text: str | tuple[str, int]) -> None:
    line = text if isinstance(text, str) else text[0][: text[1]]
    assert parse(line) is not None or fault(line)


@given(entries())
def test_a_request_has_a_value_for_each_feature(entry: Entry) -> None:
    if is_request(entry):
        assert len(tell(entry)[1]) == WIDTH - 1


near = st.integers(0, 3 * WAIT_SECONDS)
far = st.integers(0, 4 * AHEAD_SECONDS)


@given(st.lists(st.one_of(near, far), max_size=200))
def test_every_entry_comes_once_in_order_or_is_counted(moments: list[int]) -> None:
    order = Order()
    made = [Entry(at, 0, "192.0.2.7", f"GET /{n} HTTP/1.1", 200, 1, "", "") for n, at in enumerate(moments)]
    seconds = list(order.seconds(made))
    assert [each.at for each in seconds] == sorted({each.at for each in seconds})
    came = [entry for second in seconds for entry in second.entries]
    assert all(entry.at == second.at for second in seconds for entry in second.entries)
    assert len(set(came)) == len(came)
    assert len(came) + order.late + order.astray == len(made)


@given(st.lists(st.integers(0, WAIT_SECONDS), max_size=200))
def test_what_is_no_later_than_the_wait_is_never_left_out(moments: list[int]) -> None:
    order = Order()
    made = [Entry(at, 0, "192.0.2.7", "GET / HTTP/1.1", 200, 1, "", "") for at in moments]
    assert sum(len(each.entries) for each in order.seconds(made)) == len(made)
    assert (order.late, order.astray) == (0, 0)
