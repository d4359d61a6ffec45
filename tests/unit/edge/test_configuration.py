"""A mistake in holdfast.toml is told with its line, its place and its remedy; all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.edge.configuration import Configuration, parse_configuration
from holdfast.edge.release import Trust
from holdfast.ledger.note import COSIGNATURE, ED25519, SignerKey, VerifierKey
from holdfast.model.errors import HoldfastError
from holdfast.model.site import Https, Protocol, Service
from tests.feature.lab import write_certificate

EDGE = '[edge]\nhttp = ["127.0.0.1:18080"]\nhttps = ["127.0.0.1:18443"]\nrun_dir = "/dev/shm/unused"\n'
LOG = SignerKey("log.test", ED25519, b"l" * 32).verifier
WITNESSES = [SignerKey(f"w{number}.test", COSIGNATURE, bytes([number]) * 32).verifier for number in range(3)]
TWIN = VerifierKey("w9.test", COSIGNATURE, WITNESSES[0].public)
"""Another name for the same key."""
OWN = VerifierKey("w8.test", COSIGNATURE, LOG.public)
FALSE_ID = str(LOG).replace(LOG.key_id.hex(), "00000000")
ORIGIN = '[[sites.origins]]\naddress = "192.0.2.10"\n'


def parse(text: str, directory: Path = Path()) -> Configuration:
    return parse_configuration(text, directory / "holdfast.toml")


def mistakes(text: str, directory: Path = Path()) -> list[str]:
    with pytest.raises(HoldfastError) as caught:
        parse(text, directory)
    return [str(each) for each in caught.value.mistakes]


def a_site(more: str = "", origin: str = ORIGIN, name: str = "a", hostnames: str = '["a.test"]') -> str:
    return f'[[sites]]\nname = "{name}"\nhostnames = {hostnames}\n{more}\n{origin}'


def test_a_whole_site_is_understood(tmp_path: Path) -> None:
    write_certificate(tmp_path / "a.pem", "a.test", "*.b.test")
    text = EDGE + a_site(
        'customer = "acme"\nhttps = "strict"\ncertificate = "a.pem"\n'
        'allow = ["192.0.2.0/24", "2001:db8::/32"]',
        "[sites.limits]\nrequests_per_second = 5\norigin_connections = 7\n"
        '[[sites.origins]]\naddress = "2001:db8::1"\nscheme = "https"\n'
        'server_name = "O.Test"\nprotocol = "h2"\n',
        hostnames='["A.test", "*.B.test"]',
    )
    site = parse(text, tmp_path).sites["a"]
    assert site.hostnames == ("a.test", "*.b.test")
    assert (site.customer, site.service, site.https) == ("acme", Service.WEB, Https.STRICT)
    assert (site.limits.requests_per_second, site.limits.origin_connections) == (5, 7)
    (origin,) = site.origins
    assert (str(origin.address), origin.port, origin.protocol) == ("2001:db8::1", 443, Protocol.HTTP2)
    assert origin.tls is not None
    assert origin.tls.server_name == "o.test"
    assert site.certificate is not None
    assert "PRIVATE" not in repr(site), "a key must not get into a log"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[edge", "this is not TOML"),
        (
            "[edge]\nhttpp = []",
            "holdfast.toml:2: edge.httpp: there is no such setting; remove it, or correct",
        ),
        ("[edge]\nhttp = 80", "holdfast.toml:2: edge.http:"),
        ("[edge]\nhttp = ['*:99999']", "'*:99999' is no address to listen at; write it like *:80"),
        ("[edge]\nhttp = []\nhttps = []", "there is no address to listen at"),
        ("[provider]\nurl = 'javascript:alert(1)'", "provider"),
        (EDGE + "[[sites]]\nname = 'a'\n" + ORIGIN, "sites[1].hostnames: this setting is missing; add it"),
        (EDGE + a_site(name="A b"), "sites[1].name"),
        (EDGE + a_site(hostnames="[]"), "sites[1].hostnames"),
        (EDGE + a_site(hostnames='["a b"]'), "'a b' is not a hostname; write labels of letters"),
        (EDGE + a_site(hostnames='["192.0.2.1"]'), "looks like an address"),
        (EDGE + a_site(hostnames='["*.test"]'), "would match a whole top-level domain"),
        (EDGE + a_site("service = 'udp'"), "write one of 'web' or 'tcp'"),
        (EDGE + a_site("https = 'redirect'"), "HTTPS is demanded but there is no certificate"),
        (EDGE + a_site("allow = ['192.0.2.1/24']"), "has bits set outside its prefix; write 192.0.2.0/24"),
        (EDGE + a_site("allow = ['0.0.0.0/0']"), "0.0.0.0/0 is too wide"),
        (EDGE + a_site("allow = ['2001:db8::/33']"), "would take 32768 entries"),
        (EDGE + a_site("[sites.limits]\nrequests_at_once = 0"), "choose a number ge 1"),
        (EDGE + a_site("[sites.limits]\nrequests_per_second = 2\nburst = 121"), "choose at most 120"),
        (EDGE + a_site("[sites.limits]\nrequests_per_second = 0\nburst = 5"), "or raise requests_per_second"),
        (EDGE + a_site("service = 'tcp'\nsign = true"), "remove https, sign, watch_only and under_attack"),
        (EDGE + a_site("service = 'tcp'\n[sites.limits]\nqueue = 5\nburst = 1"), "remove burst"),
        ("[edge]\nproxies = ['192.0.2.1/24']", "edge.proxies"),
        ("[edge]\nforwarders = ['nonsense']", "'nonsense' is not a network"),
        ("[ledger]\nkey = 'nonsense'", "holdfast.toml:2: ledger.key: this is no verifier key"),
        (
            f"[ledger]\nkey = '{LOG}x'",
            "ledger.key: the verifier key of log.test is not spelled right; copy",
        ),
        (f"[ledger]\nkey = '{FALSE_ID}'", "the id in the verifier key of log.test is not that of the key"),
        (f"[ledger]\nkey = '{WITNESSES[0]}'", "the key w0.test is not that of a log; write the one of a log"),
        (f"[ledger]\nwitnesses = ['{LOG}']", "ledger.witnesses: the key log.test is not that of a witness"),
        (f"[ledger]\nkey = '{LOG}'\nwitnesses = ['{OWN}']", "a log is no witness of itself; name"),
        (f"[ledger]\nwitnesses = ['{WITNESSES[0]}', '{TWIN}']", "a witness is there twice; remove one"),
        (f"[ledger]\nwitnesses = ['{WITNESSES[0]}']\nquorum = 2", "2 witnesses must have signed, and 1 are"),
        ("[ledger]\nquorum = 1", "ledger.quorum: 1 witnesses must have signed, and 0 are named; name more"),
        ("[ledger]\nquorum = -1", "ledger.quorum"),
        ("[ledger]\nlisten = '9465x'", "ledger.listen: '9465x' is no address to listen at"),
        (EDGE + a_site(origin=""), "sites[1].origins"),
        (EDGE + a_site(origin='[[sites.origins]]\naddress = "example.org"\n'), "is not an IP address"),
        (EDGE + a_site(origin=ORIGIN + 'server_name = "o.test"\n'), "only make sense with TLS"),
        (EDGE + a_site(origin=ORIGIN + 'scheme = "https"\n'), "server_name is missing"),
        (EDGE + a_site(origin=ORIGIN + ORIGIN), "origins[2]: this origin is there twice"),
        (
            EDGE + a_site(origin='[[sites.origins]]\naddress = "127.0.0.1"\nport = 18080\n'),
            "is this edge itself",
        ),
        (
            "[edge]\nhttp=['*:18080']\n" + a_site(origin='[[sites.origins]]\naddress="::1"\nport=18080\n'),
            "circle",
        ),
        (EDGE + a_site("service = 'tcp'\nallow = ['192.0.2.1']"), "a tcp site is passed through unopened"),
        (EDGE + a_site("certificate = 'none.pem'"), "cannot read none.pem"),
        (EDGE + a_site() + a_site(name="b"), "'a.test' already belongs to site 'a'; remove it from one"),
        (EDGE + a_site() + a_site(hostnames='["b.test"]'), "there are two sites named 'a'; rename"),
    ],
)
def test_a_mistake_names_its_place_and_remedy(text: str, expected: str) -> None:
    found = mistakes(text)
    assert any(expected in each for each in found), found


def test_every_mistake_is_told_at_once_with_its_line() -> None:
    text = EDGE + a_site("https = 'redirect'\ntypo = 1") + a_site(name="b", hostnames='["a.test", "b c"]')
    lines = text.splitlines()
    (unknown,) = mistakes(text)
    assert unknown.startswith(f"holdfast.toml:{lines.index('typo = 1') + 1}: sites[1].typo")
    found = mistakes(text.replace("typo = 1", ""))
    assert len(found) == 3


def test_a_certificate_that_does_not_fit_is_told(tmp_path: Path) -> None:
    write_certificate(tmp_path / "other.pem", "other.test")
    write_certificate(tmp_path / "fits.pem", "a.test")
    (found,) = mistakes(EDGE + a_site("certificate = 'other.pem'"), tmp_path)
    assert "does not cover a.test (it covers other.test)" in found
    (found,) = mistakes(EDGE + a_site("certificate = 'fits.pem'\nkey = 'other.pem'"), tmp_path)
    assert "the private key does not belong to the certificate" in found
    (tmp_path / "noise.pem").write_text("noise")
    (found,) = mistakes(EDGE + a_site("certificate = 'noise.pem'"), tmp_path)
    assert "holds no certificate" in found


def test_where_the_provider_publishes_nowhere_the_edge_does(tmp_path: Path) -> None:
    assert parse("[edge]", tmp_path).provider.statement == ""
    text = f"[ledger]\nkey = '{LOG}'\n[provider]\nrecord = 'https://p.example/{{id}}'"
    provider = parse(text, tmp_path).provider
    assert provider.statement == "/.well-known/holdfast/public/statements/{id}"
    assert (provider.record, provider.appeal) == ("https://p.example/{id}", "")


def test_whose_record_counts_is_understood(tmp_path: Path) -> None:
    nothing = parse("[edge]", tmp_path).ledger
    assert (nothing.trust, nothing.directory, nothing.grounds) == (Trust(), None, None)
    assert str(nothing.listen) == "127.0.0.1:9465"
    names = ", ".join(f"'{each}'" for each in WITNESSES)
    text = f"[ledger]\nkey = '{LOG}'\nwitnesses = [{names}]\ndirectory = 'log'\ngrounds = 'grounds.toml'\n"
    ledger = parse(text + "listen = '[::1]:9999'", tmp_path).ledger
    assert ledger.trust == Trust(LOG, tuple(WITNESSES), 2), "more than half of them"
    assert (ledger.directory, ledger.grounds) == (tmp_path / "log", tmp_path / "grounds.toml")
    assert str(ledger.listen) == "[::1]:9999"
    for number in (0, 3):
        assert parse(f"{text}quorum = {number}", tmp_path).ledger.trust.quorum == number
