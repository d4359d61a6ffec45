"""What each command does to a picture. The agent keeps its belief of HAProxy up to date by it, and the
property tests check both ``plan`` and HAProxy itself against it."""

from __future__ import annotations

from dataclasses import replace

from holdfast.edge.dataplane.commands import (
    AddMap,
    AddServer,
    Command,
    CommitAuthority,
    DelAuthority,
    DelCertificate,
    DelMap,
    DelServer,
    EnableHealth,
    EnableServer,
    ListCertificate,
    NewAuthority,
    NewCertificate,
    RetireServer,
    SetAuthority,
    SetMap,
    SetMaxconn,
    UnlistCertificate,
)
from holdfast.edge.dataplane.picture import Authority, Listed, Picture, Server


def apply(picture: Picture, command: Command) -> None:
    """Change ``picture`` as a successful ``command`` changes HAProxy."""
    match command:
        case AddMap(name, entries):
            picture.maps.update({(name, key): value for key, value in entries})
        case SetMap(name, key, value):
            picture.maps[name, key] = value
        case DelMap(name, key):
            del picture.maps[name, key]
        case AddServer(backend, name, arguments, maxconn):
            new = Server(maxconn, checked=False, in_service=False, arguments=arguments)
            picture.servers[backend, name] = new
        case EnableHealth(backend, name):
            picture.servers[backend, name] = replace(picture.servers[backend, name], checked=True)
        case EnableServer(backend, name):
            picture.servers[backend, name] = replace(picture.servers[backend, name], in_service=True)
        case RetireServer(backend, name):
            picture.servers[backend, name] = replace(picture.servers[backend, name], in_service=False)
        case SetMaxconn(backend, name, maxconn):
            picture.servers[backend, name] = replace(picture.servers[backend, name], maxconn=maxconn)
        case DelServer(backend, name):
            del picture.servers[backend, name]
        case NewCertificate(name):
            picture.strays.add(name)
        case ListCertificate(name, patterns):
            picture.strays.remove(name)
            picture.certificates[name] = Listed(patterns)
        case UnlistCertificate(name):
            del picture.certificates[name]
            picture.strays.add(name)
        case DelCertificate(name):
            picture.strays.remove(name)
        case NewAuthority(name):
            picture.authorities[name] = Authority(loaded=False)
        case SetAuthority(name, pem):
            picture.authorities[name] = replace(picture.authorities[name], pem=pem)
        case CommitAuthority(name):
            picture.authorities[name] = replace(picture.authorities[name], loaded=True)
        case DelAuthority(name):
            del picture.authorities[name]
        case _:
            pass  # a step of a transaction, or the end of sessions: nothing that a picture shows
