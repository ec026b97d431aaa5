"""Requests that are almost right: a grammar of wrong ones, and mutations of good ones.

Everything comes from a seed, so that a failing run can be repeated.
"""

import random
from collections.abc import Iterator

BODY = b'{"model":"m","messages":[{"role":"user","content":"Hello!"}]}'

STARTS = (
    b"", b" ", b"GET", b"GET /", b"GET / HTTP/1.1\r\n", b"GET  / HTTP/1.1", b"GET / HTTP/0.9",
    b"GET / HTTP/9.9", b"GET / HTTP/1.1\x00", b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0",
    b"OPTIONS * HTTP/1.1", b"GET * HTTP/1.1", b"CONNECT / HTTP/1.1", b"CONNECT x HTTP/1.1",
    b"CONNECT 127.0.0.1:99999 HTTP/1.1", b"CONNECT [::1 HTTP/1.1", b"CONNECT a:b HTTP/1.1",
    b"GET http:// HTTP/1.1", b"GET http://[ HTTP/1.1", b"GET http://a:b/ HTTP/1.1",
    b"GET http://a b/ HTTP/1.1", b"GET ftp://a/ HTTP/1.1", b"GET //a/ HTTP/1.1",
    b"GET http://127.0.0.1:1/ HTTP/1.1", b"GET http://\xff/ HTTP/1.1", b"GET /\xff\xfe HTTP/1.1",
    b"GET /%00%0d%0a HTTP/1.1", b"GET /../../etc/passwd HTTP/1.1", b"GET /v1/models?\xff=%ff HTTP/1.1",
    b"GET /usage/model/\xf0\x9f\x92\xa9 HTTP/1.1", b"GET /usage/historical?hours=\xff HTTP/1.1",
    b"GET /route?model=\xff\x80 HTTP/1.1", b"POST /v1/chat/completions HTTP/1.1",
    b"POST /v1/chat/completions HTTP/1.0", b"post /v1/chat/completions HTTP/1.1",
    b"\xff\xff\xff\xff / HTTP/1.1", b"POST /v1/messages HTTP/1.1", b"TRACE /health HTTP/1.1",
)  # fmt: skip
HEADERS = (
    b"", b":", b": x", b"a", b"a:", b"a b: c", b"a: \x00", b"a: \x0b", b"a\x00: b", b"\xff: \xff",
    b"host:", b"host: a\r\nhost: b", b"host: [::1", b"host: \xff", b"host: a:99999999", b"host: a:b",
    b"content-length: -1", b"content-length: +4", b"content-length: 4, 4", b"content-length: 0x4",
    b"content-length: 99999999999999999999", b"content-length: 4\r\ncontent-length: 5",
    b"content-length: \xd9\xa3", b"transfer-encoding: chunked", b"transfer-encoding: xchunked",
    b"transfer-encoding: chunked, chunked", b"transfer-encoding: gzip, chunked",
    b"transfer-encoding: chunked\r\ncontent-length: 4", b"transfer-encoding : chunked",
    b"transfer-encoding:\x0bchunked", b" folded: x", b"x: a\r\n b", b"x: a\r\n\tb", b"x: a\rb", b"x: a\nb",
    b"content-encoding: gzip", b"content-encoding: deflate", b"content-encoding: br",
    b"content-encoding: zstd", b"content-encoding: gzip, gzip", b"content-encoding: base64",
    b"content-encoding: \xff", b"expect: 100-continue", b"expect: 200-ok", b"upgrade: h2c",
    b"upgrade: websocket\r\nconnection: upgrade", b"connection: close", b"connection: \xff",
    b"authorization: \xff", b"authorization: Bearer \xff\xfe", b"proxy-authorization: Basic !!!",
    b"proxy-authorization: Basic //8=", b"x-gateway-policy: \xff", b"user-agent: \xff\xfe\xfd",
    b"origin: \xff", b"origin: null", b"sec-fetch-site: cross-site", b"content-type: \xff",
    b"cookie: " + b"a=b; " * 500, b"x" * 3000 + b": y", b"te: trailers", b"range: bytes=0-1",
)  # fmt: skip
BODIES = (
    b"", BODY, b"{", b"[", b"null", b"\xff\xfe", b"\x1f\x8b\x08\x00", b"0\r\n\r\n",
    b"4\r\nabcd\r\n0\r\n\r\n", b"4\r\nabcd", b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n",
    b"4;a=b\r\nabcd\r\n0\r\nx: y\r\n\r\n", b'{"model":', b'{"model":"\\ud800","messages":[]}',
    b'{"model":"m","messages":"x"}', b'{"model":"m","messages":[null]}', b'{"model":"m","model":"n"}',
    b'{"model":"m","messages":[{"role":5,"content":{"a":[[[]]]}}],"stream":"yes","n":1e99}',
    b'{"model":"m","messages":[],"max_tokens":-1,"stream":true,"stream_options":7}',
    b'{"model":"m","messages":[],"max_tokens":1e400}', b'{"model":"' + b"x" * 5000 + b'"}',
    b'{"model":"m","tools":{"a":' + b"9" * 5000 + b"}}", b"\x00" * 100,
)  # fmt: skip


def seeds(port: int, provider: int) -> tuple[bytes, ...]:
    """Good requests, by every way in."""
    ours, theirs = b"127.0.0.1:%d" % port, b"127.0.0.1:%d" % provider
    chat = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(BODY),
        BODY,
    )
    chunked = b"transfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
        len(BODY),
        BODY,
    )
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: %s\r\n%s" % (ours, chat),
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: %s\r\n%s" % (ours, chunked),
        b"POST /v1/messages HTTP/1.1\r\nhost: %s\r\n%s" % (ours, chat),
        b"GET /v1/models HTTP/1.1\r\nhost: %s\r\n\r\n" % ours,
        b"GET /usage/historical?hours=1&model=m HTTP/1.1\r\nhost: %s\r\n\r\n" % ours,
        b"GET /route?model=m HTTP/1.1\r\nhost: %s\r\n\r\n" % ours,
        b"POST /usage/simulate HTTP/1.1\r\nhost: %s\r\n%s" % (ours, chat),
        b"POST http://api.openai.com/v1/chat/completions HTTP/1.1\r\nhost: api.openai.com\r\n"
        + chat,
        b"GET http://%s/x HTTP/1.1\r\nhost: %s\r\n\r\n" % (theirs, theirs),
        b"CONNECT %s HTTP/1.1\r\nhost: %s\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n"
        % (theirs, theirs),
        b"CONNECT api.openai.com:443 HTTP/1.1\r\nhost: x\r\n\r\n\x16\x03\x01\x00\x05hello",
    )


def mutated(good: bytes, chance: random.Random) -> bytes:
    found = bytearray(good)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(7):
            case 0 if at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                del found[at : at + chance.choice((1, 1, 2, 10))]
            case 2:
                found[at:at] = chance.choice(
                    (b"\r", b"\n", b"\0", b"\r\n", b"\r\n\r\n", b" ", b":", b"\xff")
                )
            case 3:
                found[at:at] = found[at : at + chance.randrange(40)]
            case 4:
                found[at:at] = chance.choice(HEADERS) + b"\r\n"
            case 5:
                del found[at:]
            case _:
                found[at:at] = bytes(chance.randrange(256) for _ in range(3))
    return bytes(found)


def grammatical(port: int, chance: random.Random) -> bytes:
    lines = [chance.choice(STARTS)]
    if chance.random() < 0.8:
        lines.append(b"host: 127.0.0.1:%d" % port)
    lines += [chance.choice(HEADERS) for _ in range(chance.randrange(4))]
    body = chance.choice(BODIES)
    if chance.random() < 0.5:
        lines.append(b"content-length: %d" % len(body))
    ending = chance.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"))
    return ending.join((*lines, b"", body))


def malformed(count: int, seed: int, port: int, provider: int) -> Iterator[bytes]:
    """That many requests that are probably wrong."""
    chance = random.Random(seed)
    good = seeds(port, provider)
    for _ in range(count):
        if chance.random() < 0.5:
            yield grammatical(port, chance)
        else:
            yield mutated(chance.choice(good), chance)
