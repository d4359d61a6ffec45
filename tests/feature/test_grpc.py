"""gRPC through the edge: real clients over TLS, a real server that speaks HTTP/2 without or with TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from tests.feature.lab import running, site, write_certificate

HOST = "grpc.test"
BIG = 3 * 1024 * 1024

Context = grpc.aio.ServicerContext[bytes, bytes]


async def echo(request: bytes, context: Context) -> bytes:
    """Answers with what it got; with an error where it is asked for one."""
    if request == b"fail":
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
    await context.send_initial_metadata((("x-early", "yes"),))
    context.set_trailing_metadata((("x-late", str(len(request))),))
    return request


async def count(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """Numbers, a new one every now and then, without an end."""
    number = 0
    while True:
        yield str(number).encode()
        number += 1
        await asyncio.sleep(0.01)


async def join(requests: AsyncIterator[bytes], context: Context) -> bytes:
    """One answer to all that came."""
    return b" ".join([request async for request in requests])


async def talk(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """An answer to each request, before the next comes."""
    async for request in requests:
        yield request.upper()


METHODS: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Count": grpc.unary_stream_rpc_method_handler(count),
    "Join": grpc.stream_unary_rpc_method_handler(join),
    "Talk": grpc.stream_stream_rpc_method_handler(talk),
}


@asynccontextmanager
async def called(directory: Path, scheme: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a gRPC server behind an edge."""
    certificate = write_certificate(directory / "grpc.pem", HOST)
    pem = certificate.read_bytes()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", METHODS),))
    if scheme == "http":
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(pem, pem)]))
    await server.start()
    document = site("grpc", [HOST], port, certificate=str(certificate))
    document["origins"][0] |= {"scheme": scheme, "protocol": "h2"}
    if scheme == "https":
        document["origins"][0] |= {"server_name": HOST, "ca": str(certificate)}
    options = [("grpc.ssl_target_name_override", HOST)]
    try:
        async with (
            running(directory, [document]) as (lab, _),
            grpc.aio.secure_channel(
                f"127.0.0.1:{lab.https}", grpc.ssl_channel_credentials(pem), options=options
            ) as channel,
        ):
            yield channel
    finally:
        await server.stop(None)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_every_kind_of_call(tmp_path: Path, scheme: str) -> None:
    """Unary with metadata before and after, streams in both directions, an error that is only trailers."""
    async with called(tmp_path, scheme) as channel:
        call = channel.unary_unary("/test.Test/Echo", bytes, bytes)(b"x" * BIG)
        assert dict(await call.initial_metadata())["x-early"] == "yes"
        assert await call == b"x" * BIG
        assert dict(await call.trailing_metadata())["x-late"] == str(BIG)

        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await channel.unary_unary("/test.Test/Echo", bytes, bytes)(b"fail")
        assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.NOT_FOUND, "no such thing")

        numbers = channel.unary_stream("/test.Test/Count", bytes, bytes)(b"")
        assert [await numbers.read() for _ in range(3)] == [b"0", b"1", b"2"]  # it has no end
        numbers.cancel()

        joined = channel.stream_unary("/test.Test/Join", bytes, bytes)()
        for word in (b"one", b"two", b"three"):
            await joined.write(word)
        await joined.done_writing()
        assert await joined == b"one two three"

        talked = channel.stream_stream("/test.Test/Talk", bytes, bytes)()
        for word in (b"one", b"two", b"three"):
            await talked.write(word)
            assert await talked.read() == word.upper()
        await talked.done_writing()
        assert await talked.read() is grpc.aio.EOF


async def test_calls_share_a_connection(tmp_path: Path) -> None:
    """A hundred at once, each with its own answer."""
    async with called(tmp_path, "http") as channel:
        ask = channel.unary_unary("/test.Test/Echo", bytes, bytes)
        words = [f"word {number}".encode() for number in range(100)]
        assert await asyncio.gather(*(ask(word) for word in words)) == words
