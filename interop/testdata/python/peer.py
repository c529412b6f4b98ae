"""A WebSocket peer made with websockets, for the interoperability tests:

    python peer.py CERTIFICATE KEY CA

It is a server, with TLS and without, and connects as a client when it is told
to. It reads commands from standard input and prints events on standard output,
each a JSON object on a line. ../peers.md lists them. It ends with its standard
input.
"""

import asyncio
import base64
import hashlib
import http
import json
import logging
import ssl
import sys

from websockets.exceptions import ConnectionClosed, InvalidHandshake

try:
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve

    LEGACY = False
except ImportError:  # before version 13, as in Debian 12
    from websockets.client import connect
    from websockets.server import serve

    LEGACY = True

MAX_SIZE = 17 << 20

channels = {}
tasks = set()


def tell(id, event, **fields):
    print(json.dumps({"id": id, "event": event, **fields}), flush=True)


def background(coroutine):
    task = asyncio.create_task(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def path_of(ws):
    return ws.path if LEGACY else ws.request.path


def origin_of(ws):
    headers = ws.request_headers if LEGACY else ws.request.headers
    return headers.get("Origin", "")


def extensions_of(ws):
    headers = ws.response_headers if LEGACY else ws.response.headers
    return headers.get("Sec-WebSocket-Extensions", "")


async def run(id, ws):
    channels[id] = ws
    tell(
        id,
        "open",
        protocol=ws.subprotocol or "",
        extensions=extensions_of(ws),
        origin=origin_of(ws),
    )
    try:
        async for message in ws:
            binary = not isinstance(message, str)
            data = message if binary else message.encode()
            sha256 = hashlib.sha256(data).hexdigest()
            tell(id, "message", binary=binary, size=len(data), sha256=sha256)
    except ConnectionClosed as exc:
        tell(id, "error", text=str(exc))
    await ws.wait_closed()
    del channels[id]
    tell(id, "closed", code=ws.close_code, text=ws.close_reason or "")


async def accept(ws):
    await run(path_of(ws).split("/")[2], ws)


def refuse(connection, request):
    _, what, id = request.path.split("/")
    if what == "refuse":
        tell(id, "refused", code=403, text="")
        return connection.respond(403, "not you")


def refuse_legacy(path, headers):
    _, what, id = path.split("/")
    if what == "refuse":
        tell(id, "refused", code=403, text="")
        return http.HTTPStatus.FORBIDDEN, [], b"not you"


def select(connection, offered):
    if "unoffered" in offered:
        return "other"
    return next((name for name in offered if name.startswith("chat")), None)


def select_legacy(offered, supported):
    return select(None, offered)


async def do_connect(id, url, protocols=None, origin=None, trust=False):
    options = {"subprotocols": protocols, "origin": origin, "max_size": MAX_SIZE}
    if url.startswith("wss:"):
        options["ssl"] = ssl.create_default_context(cafile=sys.argv[3] if trust else None)
    if not LEGACY:
        options["proxy"] = None
    try:
        ws = await connect(url, **options)
    except InvalidHandshake as exc:
        if hasattr(exc, "response"):
            body = (exc.response.body or b"").decode()
            tell(id, "refused", code=exc.response.status_code, text=body)
        elif hasattr(exc, "status_code"):
            tell(id, "refused", code=exc.status_code, text="")
        else:
            tell(id, "failed", text=str(exc))
    except OSError as exc:
        tell(id, "failed", text=str(exc))
    else:
        await run(id, ws)


async def do_send(id, parts, binary=False, times=1, ping=None):
    ws = channels[id]
    pieces = [base64.b64decode(part) for part in parts]
    pieces[-1] *= max(times, 1)
    if not binary and LEGACY:
        pieces = [piece.decode() for piece in pieces]
    options = {} if LEGACY else {"text": not binary}
    if len(pieces) == 1:
        await ws.send(pieces[0], **options)
        return

    async def fragments():
        for i, piece in enumerate(pieces):
            if i > 0 and ping is not None:
                background(answered(id, await ws.ping(ping), ping))
            yield piece

    await ws.send(fragments(), **options)


async def answered(id, pong, text):
    await pong
    tell(id, "pong", text=text)


async def do_ping(id, text=""):
    background(answered(id, await channels[id].ping(text), text))


async def do_close(id, code=1000, text=""):
    await channels[id].close(code, text)


async def do_terminate(id):
    channels[id].transport.abort()


async def main():
    logging.disable()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(sys.argv[1], sys.argv[2])
    ports = []
    for context in (None, tls):
        server = await serve(
            accept,
            "127.0.0.1",
            0,
            ssl=context,
            process_request=refuse_legacy if LEGACY else refuse,
            select_subprotocol=select_legacy if LEGACY else select,
            subprotocols=["chat"] if LEGACY else None,
            max_size=MAX_SIZE,
        )
        ports.append(server.sockets[0].getsockname()[1])
    tell("", "listening", port=ports[0], tlsPort=ports[1], splits=not LEGACY, codeless=False)

    commands = {
        "connect": do_connect,
        "send": do_send,
        "ping": do_ping,
        "close": do_close,
        "terminate": do_terminate,
    }
    stdin = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        command = json.loads(line)
        do = commands[command.pop("do")]
        background(do(**command))


asyncio.run(main())
