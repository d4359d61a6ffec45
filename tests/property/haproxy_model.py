"""A small model of HAProxy's Runtime API that reads command lines, as HAProxy does, and refuses what HAProxy
refuses (management guide, section 9.3). It knows nothing of ``effect`` or of the command classes.

``add map`` of a known key, which HAProxy takes and makes a duplicate of, is an error here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import PurePosixPath

from holdfast.edge.dataplane.picture import Authority, Listed, Picture, Server


def words(line: str) -> list[str]:
    """A command line cut at spaces; a backslash takes the next character as it is."""
    return [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\\ ])+", line)]


def stem(path: str) -> str:
    return PurePosixPath(path).name.rpartition(".")[0]


@dataclass
class Model:
    """What one worker holds."""

    maps: dict[tuple[str, str], str] = field(default_factory=dict)
    servers: dict[tuple[str, str], Server] = field(default_factory=dict)
    stores: dict[str, str] = field(default_factory=dict)
    listed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    authorities: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    """Transactions: path → what is to be committed."""

    @classmethod
    def of(cls, picture: Picture) -> Model:
        stores = dict.fromkeys(picture.certificates, "pem") | dict.fromkeys(picture.strays, "")
        authorities = {name: "pem" if each.loaded else "" for name, each in picture.authorities.items()}
        return cls(
            dict(picture.maps),
            dict(picture.servers),
            stores,
            {name: each.patterns for name, each in picture.certificates.items()},
            authorities,
        )

    def picture(self) -> Picture:
        return Picture(
            {key: value for key, value in self.maps.items() if key[0] != "meta"},
            dict(self.servers),
            {name: Listed(patterns) for name, patterns in self.listed.items()},
            self.stores.keys() - self.listed.keys(),
            {name: Authority(bool(pem)) for name, pem in self.authorities.items()},
        )

    def ask(self, text: str) -> str:
        """Perform one command; its answer as HAProxy words it."""
        line, _, payload = text.removesuffix("\n").partition("\n")
        asked = words(line.removesuffix(" <<"))
        assert ";" not in re.sub(r"\\.", "", line), f"HAProxy would see two commands: {line}"
        assert len(text.encode()) < 16_384, "a command and its payload must fit one buffer"
        handler = getattr(self, f"_{asked[0]}_{asked[1]}")
        return str(handler(asked[2:], payload))

    def _add_map(self, asked: list[str], payload: str) -> str:
        for line in payload.splitlines():
            key, _, value = line.partition(" ")
            assert (stem(asked[0]), key) not in self.maps, f"a duplicate of {key}"
            self.maps[stem(asked[0]), key] = value
        return ""

    def _set_map(self, asked: list[str], _: str) -> str:
        path, key, value = asked
        if (stem(path), key) not in self.maps:
            return "entry not found."
        self.maps[stem(path), key] = value
        return ""

    def _del_map(self, asked: list[str], _: str) -> str:
        return "" if self.maps.pop((stem(asked[0]), asked[1]), None) is not None else "Key not found."

    def _add_server(self, asked: list[str], _: str) -> str:
        key = self._key(asked[0])
        if key in self.servers:
            return "Already exists a server with the same name in backend."
        settings = dict(pairwise(asked))
        authority = settings.get("ca-file", "@system-ca")
        if not authority.startswith("@") and not self.authorities.get(stem(authority)):
            return f"unable to load ca-file {authority}"
        self.servers[key] = Server(int(settings["maxconn"]), checked=False, in_service=False)
        return "New server registered."

    def _change(self, name: str, **fields: bool | int) -> str:
        key = self._key(name)
        if key not in self.servers:
            return "No such server."
        self.servers[key] = replace(self.servers[key], **fields)  # type: ignore[arg-type]
        return ""

    def _key(self, name: str) -> tuple[str, str]:
        backend, _, server = name.partition("/")
        return backend, server

    def _enable_health(self, asked: list[str], _: str) -> str:
        return self._change(asked[0], checked=True)

    def _enable_server(self, asked: list[str], _: str) -> str:
        return self._change(asked[0], in_service=True)

    def _disable_server(self, asked: list[str], _: str) -> str:
        return self._change(asked[0], in_service=False)

    def _set_maxconn(self, asked: list[str], _: str) -> str:
        return self._change(asked[1], maxconn=int(asked[2]))

    def _del_server(self, asked: list[str], _: str) -> str:
        key = self._key(asked[0])
        if key not in self.servers or self.servers[key].in_service:
            return "Only servers in maintenance mode can be deleted."
        del self.servers[key]
        return "Server deleted."

    def _new_ssl(self, asked: list[str], _: str) -> str:
        held = self.stores if asked[0] == "cert" else self.authorities
        if stem(asked[1]) in held:
            return f"'{asked[1]}' already exists!"
        held[stem(asked[1])] = ""
        kind = "empty certificate store" if asked[0] == "cert" else "CA file created"
        return f"New {kind} '{asked[1]}'!"

    def _set_ssl(self, asked: list[str], payload: str) -> str:
        held = self.stores if asked[0] == "cert" else self.authorities
        if stem(asked[1]) not in held or not payload.strip() or "\n\n" in payload.strip():
            return "Can't replace"
        self.open[asked[1]] = payload
        kind = "Transaction created for certificate" if asked[0] == "cert" else "transaction created for CA"
        return f"{kind} {asked[1]}!"

    def _commit_ssl(self, asked: list[str], _: str) -> str:
        if asked[1] not in self.open:
            return "No ongoing transaction!"
        (self.stores if asked[0] == "cert" else self.authorities)[stem(asked[1])] = self.open.pop(asked[1])
        return f"Committing {asked[1]}\nSuccess!"

    def _abort_ssl(self, asked: list[str], _: str) -> str:
        return "Transaction aborted" if self.open.pop(asked[1], None) else "No ongoing transaction!"

    def _add_ssl(self, asked: list[str], payload: str) -> str:
        path, *patterns = words(payload.strip())
        name = stem(path)
        if not self.stores.get(name) or name in self.listed:
            return "Inserting certificate\nFailed!"
        self.listed[name] = tuple(patterns)
        return "Inserting certificate 'x' in crt-list 'y'.\nSuccess!"

    def _del_ssl(self, asked: list[str], _: str) -> str:
        name = stem(asked[-1])
        if asked[0] == "crt-list":
            if name not in self.listed:
                return "Can't delete the entry"
            del self.listed[name]
            return f"Entry '{name}' deleted in crtlist 'y'!"
        if asked[0] == "ca-file":
            return (
                f"CA file '{name}' deleted!"
                if self.authorities.pop(name, None) is not None
                else "Can't remove"
            )
        if name in self.listed or self.stores.pop(name, None) is None or asked[1] in self.open:
            return "Can't remove the certificate"
        return f"Certificate '{name}' deleted!"

    def _get_map(self, asked: list[str], _: str) -> str:
        value = self.maps.get((stem(asked[0]), asked[1]))
        return "found=no" if value is None else f'found=yes, idx=tree, key="{asked[1]}", value="{value}"'

    def _show_map(self, asked: list[str], _: str) -> str:
        name = stem(asked[0])
        return "".join(f"0x1 {key} {value}\n" for (of, key), value in self.maps.items() if of == name)

    def _show_stat(self, asked: list[str], _: str) -> str:
        rows = [f"{backend},{name},{each.maxconn}," for (backend, name), each in self.servers.items()]
        return "\n".join(["# pxname,svname,slim,", *rows])

    def _show_servers(self, asked: list[str], _: str) -> str:
        return "1\n# be_id be_name\n" + "".join(
            f"9 {backend} 1 {name} - 2 {int(not each.in_service)} 1 1 0 6 3 4 {4 * each.checked + 2} 0 0\n"
            for (backend, name), each in self.servers.items()
        )

    def _show_ssl(self, asked: list[str], _: str) -> str:
        if asked[0] == "ca-file":
            rows = [
                f"/a/{name}.pem - {int(bool(pem))} certificate(s)" for name, pem in self.authorities.items()
            ]
            return "\n".join(["# filename", *rows, "@system-ca - 144 certificate(s)"])
        if asked[0] == "cert":
            return "\n".join(["# filename", *(f"/c/{name}.pem" for name in self.stores)])
        rows = [f"/c/{name}.pem:0 {' '.join(patterns)}" for name, patterns in self.listed.items()]
        return "\n".join([f"# {asked[-1]}", *rows])
