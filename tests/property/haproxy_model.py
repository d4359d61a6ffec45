"""A small model of HAProxy's Runtime API that reads command lines, as HAProxy does, and refuses what HAProxy
refuses (management guide, section 9.3). It knows nothing of ``effect`` or of the command classes.

``add map`` of a known key, which HAProxy takes and makes a duplicate of, is an error here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
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
    listed: set[str] = field(default_factory=set)
    authorities: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    """Transactions: path → what is to be committed."""

    @classmethod
    def of(cls, picture: Picture) -> Model:
        stores = {name: "pem" for name in picture.certificates} | dict.fromkeys(picture.strays, "")
        authorities = {name: "pem" if each.loaded else "" for name, each in picture.authorities.items()}
        return cls(
            dict(picture.maps),
            dict(picture.servers),
            stores,
            set(picture.certificates),
            authorities,
        )

    def picture(self) -> Picture:
        return Picture(
            dict(self.maps),
            dict(self.servers),
            {name: Listed() for name in self.listed},
            set(self.stores) - self.listed,
            {name: Authority(bool(pem)) for name, pem in self.authorities.items()},
        )

    def ask(self, text: str) -> str:
        """Perform one command; its answer as HAProxy words it."""
        line, _, payload = text.removesuffix("\n").partition("\n")
        asked = words(line.removesuffix(" <<"))
        assert ";" not in re.sub(r"\\.", "", line), f"HAProxy would see two commands: {line}"
        assert len(text) < 16_384, "a command and its payload must fit one buffer"
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
        settings = dict(zip(asked, asked[1:], strict=False))
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
        return f"{'Transaction created for certificate' if asked[0] == 'cert' else 'transaction created for CA'} !"

    def _commit_ssl(self, asked: list[str], _: str) -> str:
        if asked[1] not in self.open:
            return "No ongoing transaction!"
        (self.stores if asked[0] == "cert" else self.authorities)[stem(asked[1])] = self.open.pop(asked[1])
        return f"Committing {asked[1]}\nSuccess!"

    def _abort_ssl(self, asked: list[str], _: str) -> str:
        return "Transaction aborted" if self.open.pop(asked[1], None) else "No ongoing transaction!"

    def _add_ssl(self, asked: list[str], payload: str) -> str:
        name = stem(words(payload)[0])
        if not self.stores.get(name) or name in self.listed:
            return "Inserting certificate\nFailed!"
        self.listed.add(name)
        return "Inserting certificate 'x' in crt-list 'y'.\nSuccess!"

    def _del_ssl(self, asked: list[str], _: str) -> str:
        name = stem(asked[-1])
        if asked[0] == "crt-list":
            if name not in self.listed:
                return "Can't delete the entry"
            self.listed.remove(name)
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
