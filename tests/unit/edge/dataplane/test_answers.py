"""HAProxy's answers, as HAProxy 2.6.12 gave them, read back. What is no answer to the question is nothing."""

from __future__ import annotations

import pytest

from holdfast.edge.dataplane import answers
from holdfast.edge.dataplane.answers import Processes, Progress, Row, Stream
from holdfast.edge.dataplane.picture import Authority, Listed, Server

NOT_KNOWN = [
    "Unknown map identifier. Please use #<id> or <file>.\n\n",
    "No such table\n\n",
    "didn't find the specified filename\n\n",
    "Permission denied\n\n",
    "",
    "\n",
]

MAP = """0x5561b1d73600 a.test 1-1
0x5561b1d73690 www.a.test 1-2
0x5561b1d73720 D-1.aa 0|403|one two|https://x.example/?a=1&b=2
0x5561b1d73730 empty \n
"""


def test_a_map_is_read_with_spaces_in_its_values() -> None:
    assert dict(answers.map_entries(MAP)) == {
        "a.test": "1-1",
        "www.a.test": "1-2",
        "D-1.aa": "0|403|one two|https://x.example/?a=1&b=2",
        "empty": "",
    }


STATES = """1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since
8 hop 1 hop - 2 0 1 1 0 1 0 2 0 0 0 0 - 0 - 0 0 - - 0
9 slot0 1 oed015b3fc46c 127.0.0.1 0 1 1 1 0 6 3 0 14 0 0 0 - 40831 - 0 0 - - 0
10 slot1 1 oed015b3fc46c 127.0.0.1 2 0 1 1 0 1 0 2 6 0 0 0 - 40831 - 0 0 - - 0
11 slot2 1 ocdd04d11fce4 2001:db8::1 2 0 1 1 0 1 0 2 2 0 0 0 - 40831 - 1 0 - - 0
12 slot3 1 onew 127.0.0.1 0 5 1 1 0 1 0 2 0 0 0 0 - 40831 - 1 0 - - 0

"""

STATISTICS = """# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,status
hop,hop,0,0,0,0,,0,0,0,,0,,0,0,no check
slot0,oed015b3fc46c,0,0,0,1,100,1,109,454,,0,,0,0,MAINT
slot1,oed015b3fc46c,0,0,0,0,7,0,0,0,,0,,0,0,UP 1/3

"""


def test_servers_are_read_with_their_flags_and_limits() -> None:
    """Flags as in HAProxy's srv_admin_state and srv_check_state: bits, of which others may be set too."""
    assert answers.server_states(STATES, answers.server_limits(STATISTICS)) == {
        ("hop", "hop"): Server(0, checked=False, in_service=True),
        ("slot0", "oed015b3fc46c"): Server(100, checked=True, in_service=False),
        ("slot1", "oed015b3fc46c"): Server(7, checked=True, in_service=True),
        ("slot2", "ocdd04d11fce4"): Server(0, checked=False, in_service=True),
        ("slot3", "onew"): Server(0, checked=False, in_service=False),
    }


def test_statistics_come_by_column_names() -> None:
    rows = list(answers.statistics(STATISTICS))
    assert [row["status"] for row in rows] == ["no check", "MAINT", "UP 1/3"]
    assert rows[1]["pxname"] == "slot0"


LIST = """# /run/holdfast/certificates.list
/run/holdfast/certificates/1-2-d826a6ff7c4f.pem:1 c.test *.w.test
/run/holdfast/certificates/1-3-0011.pem:12

"""
CERTIFICATES = """# transaction
*/run/holdfast/certificates/half.pem
# filename
/run/holdfast/certificates/1-2-d826a6ff7c4f.pem
/run/holdfast/certificates/half.pem

"""
AUTHORITIES = """# transaction
*/run/holdfast/authorities/half.pem - 1 certificate(s)
# filename
/run/holdfast/authorities/ca-1-3-97b5bcb60570.pem - 10 certificate(s)
/run/holdfast/authorities/half.pem - 0 certificate(s)
@system-ca - 144 certificate(s)

"""


def test_certificates_are_named_by_their_files() -> None:
    listed = answers.certificate_list(LIST)
    assert {name: each.patterns for name, each in listed.items()} == {
        "1-2-d826a6ff7c4f": ("c.test", "*.w.test"),
        "1-3-0011": (),
    }
    assert listed["1-3-0011"] == Listed(("whatever",)), "only the name counts"
    assert answers.certificate_names(CERTIFICATES) == {"1-2-d826a6ff7c4f", "half"}


def test_an_authority_is_loaded_when_it_is_committed() -> None:
    assert answers.authorities(AUTHORITIES) == {
        "ca-1-3-97b5bcb60570": Authority(loaded=True),
        "half": Authority(loaded=False),
    }


TABLE = """# table: sites, type: string, size:102400, used:1
0x5561b22671b0: key=1-1 use=0 exp=86399996 conn_cnt=1 conn_cur=0 http_req_rate(10000)=17 bytes_out_cnt=454
0x5561b22671c0: key=7|a.test/x=y use=1 exp=1 conn_cur=2

"""
STREAMS = """0x7f566c041750: proto=tcpv4 src=127.0.0.1:43936 fe=web be=slot1 srv=o1 ts=00 age=0s
0x7f56640392a0: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 epoch=0x1 age=0s calls=2

"""
STREAM = """0x7f566c041750: [22/Nov/2026:19:07:00.123456] id=42 proto=tcpv4 source=127.0.0.1:43936
  flags=0xe, conn_retries=0, conn_exp=<NEVER> conn_et=0x000 srv_conn=0x5561b2, waiting=0

"""


def test_tables_and_streams_are_read() -> None:
    assert list(answers.table(TABLE)) == [
        Row(
            "1-1",
            {
                "use": 0,
                "exp": 86399996,
                "conn_cnt": 1,
                "conn_cur": 0,
                "http_req_rate": 17,
                "bytes_out_cnt": 454,
            },
        ),
        Row("7|a.test/x=y", {"use": 1, "exp": 1, "conn_cur": 2}),
    ]
    assert list(answers.streams(STREAMS)) == [
        Stream("0x7f566c041750", "127.0.0.1:43936", "web", "slot1", "o1"),
        Stream("0x7f56640392a0", "unix:1", "GLOBAL", "<NONE>", "<none>"),
    ]
    assert list(answers.stream_numbers(STREAM)) == [("0x7f566c041750", "42")]


PROGRESS = """\
0x55e42e1acc00: [22/Nov/2026:20:33:31.900886] id=4 proto=tcpv4 source={source}
  flags=0xc4a, conn_retries=0, conn_exp=<NEVER> conn_et=0x000 srv_conn={slot}, pend_pos=(nil) waiting=0
  frontend=web (id=2 mode=http), listener=? (id=1) addr=127.0.0.1:10982
  backend=slot0 (id=74 mode=http) addr=127.0.0.1:52966
  server=o7ece1c126880 (id=1) addr=127.0.0.1:38137
  task=0x55e42e3ce410 (state=0x00 nice=0 calls=3 rate=0 exp=2s tmask=0x1 age={age})
  txn=0x55e42e3ce750 flags=0x3000 meth=1 status=200 req.st={request} rsp.st={response} req.f=0x4c rsp.f=0x0d
  scf=0x55e42de4ce80 flags=0x00000080 state=EST endp=CONN,0x7fe0e4038f80,0x02004001 sub=3
      co0=0x7fe0e40393f0 ctrl=tcpv4 xprt=RAW mux=H1 data=STRM target=LISTENER:0x55e42de5ce60
      flags=0x80000300 fd=26 fd.state=10 updt=0 fd.tmask=0x1
  scb=0x55e42e194330 flags=0x00000211 state=EST endp=CONN,0x55e42e3cfb10,0x009c0001 sub=0
      co1=0x55e42e3ce5b0 ctrl=tcpv4 xprt=RAW mux=H1 data=STRM target=SERVER:0x55e42dfd6c50
      flags=0x00000300 fd=27 fd.state=10122 updt=0 fd.tmask=0x1
  req=0x55e42e1acc20 (f=0x49c40080 an=0x8000 pipe=0 tofwd=0 total={uploaded})
      an_exp=<NEVER> rex=<NEVER> wex=<NEVER>
      buf=0x55e42e1acc28 data=(nil) o={unsent} p=0 i=0 size=0
      htx=0x55e40f8f3800 flags=0x0 size=0 data=0 used=0 wrap=NO extra=0
  res=0x55e42e1acc80 (f=0x88070202 an=0x4000000 pipe=0 tofwd=-1 total={downloaded})
      an_exp=<NEVER> rex=<NEVER> wex=1m57s
      buf=0x55e42e1acc88 data=0x55e42e21a530 o={unread} p=3720 i=12664 size=16384
      htx=0x55e42e21a530 flags=0x0 size=16336 data=3720 used=1 wrap=NO extra=803896

"""
READS = {
    "source": "127.0.1.1:48325",
    "slot": "0x55e42dfd6c50",
    "age": "3s",
    "request": "MSG_DONE",
    "response": "MSG_DATA",
    "uploaded": 62,
    "unsent": 0,
    "downloaded": 2196256,
    "unread": 3720,
}
"""A client that does not read, as it was told; the cases say what differed in others."""
UPLOADS = {
    **{"request": "MSG_DATA", "response": "MSG_RPBEFORE"},
    **{"uploaded": 20078, "downloaded": 0, "unread": 0},
}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({}, Progress("0x55e42e1acc00", "4", "127.0.1.1", 3, False, True, 62, 2196256)),
        (UPLOADS, Progress("0x55e42e1acc00", "4", "127.0.1.1", 3, True, False, 20078, 0)),
        pytest.param(
            {**UPLOADS, "unsent": 16320},
            Progress("0x55e42e1acc00", "4", "127.0.1.1", 3, False, False, 20078, 0),
            id="the origin does not take what was sent",
        ),
        pytest.param(
            {**UPLOADS, "response": "MSG_DATA", "downloaded": 207},
            Progress("0x55e42e1acc00", "4", "127.0.1.1", 3, False, False, 20078, 207),
            id="a conversation, such as of gRPC",
        ),
        pytest.param(
            {"response": "MSG_RPBEFORE", "downloaded": 0, "unread": 0, "age": "1m1s"},
            Progress("0x55e42e1acc00", "4", "127.0.1.1", 61, False, False, 62, 0),
            id="waits for the origin",
        ),
        pytest.param(
            {
                "request": "MSG_TUNNEL",
                "response": "MSG_TUNNEL",
                "unread": 0,
                "age": "1h2m",
                "source": "::1:34798",
            },
            Progress("0x55e42e1acc00", "4", "::1", 3720, False, False, 62, 2196256),
            id="a WebSocket over IPv6",
        ),
        pytest.param(
            {"source": "unix:9999"},
            Progress("0x55e42e1acc00", "4", "unix", 3, False, True, 62, 2196256),
            id="behind the TLS port",
        ),
        pytest.param({"slot": "(nil)"}, None, id="ended, but its client has not noticed"),
    ],
)
def test_how_far_a_stream_is(told: dict[str, object], expected: Progress | None) -> None:
    assert answers.progress(PROGRESS.format(**{**READS, **told})) == expected


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("proc.refused_banned: type=sint value=<0>\n\n", 0),
        ("proc.refused_banned: type=sint value=<1234>\n\n", 1234),
        ("Variable not found.\n\n", 0),
        ("", 0),
    ],
)
def test_a_variable_is_a_number(answer: str, number: int) -> None:
    assert answers.variable(answer) == number


PROCESSES = """#<PID>          <type>          <reloads>       <uptime>        <version>
16928           master          {reloads} [failed: {failed}]   0d00h00m01s     2.6.12-1+deb12u4
# workers
{workers}# old workers
{old}# programs

"""
WORKER = "{pid}           worker          1               0d00h00m01s     2.6.12-1+deb12u4\n"


@pytest.mark.parametrize(
    ("workers", "old", "failed", "expected"),
    [
        ([16930], [], 0, Processes(16928, 16930, (), 0)),
        ([16930], [16000, 16010], 1, Processes(16928, 16930, (16000, 16010), 1)),
        ([], [16000], 12, Processes(16928, None, (16000,), 12)),
    ],
)
def test_processes(workers: list[int], old: list[int], failed: int, expected: Processes) -> None:
    text = PROCESSES.format(
        reloads=failed,
        failed=failed,
        workers="".join(WORKER.format(pid=pid) for pid in workers),
        old="".join(WORKER.format(pid=pid) for pid in old),
    )
    assert answers.processes(text) == expected


@pytest.mark.parametrize("answer", NOT_KNOWN)
def test_a_refusal_is_read_as_nothing(answer: str) -> None:
    assert dict(answers.map_entries(answer)) == {}
    assert answers.server_states(answer, {}) == {}
    assert answers.server_limits(answer) == {}
    assert answers.certificate_list(answer) == {}
    assert answers.authorities(answer) == {}
    assert list(answers.table(answer)) == []
    assert list(answers.streams(answer)) == []
    assert answers.progress(answer) is None
    with pytest.raises(ValueError, match="no master"):
        answers.processes(answer)


@pytest.mark.parametrize("answer", NOT_KNOWN)
def test_a_refusal_is_no_certificate(answer: str) -> None:
    assert answers.certificate_names(answer) == set()
