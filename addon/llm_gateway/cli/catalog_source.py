"""The bytes of a FILE-OR-URL that somebody named, with an upper bound and a checksum.

Addresses are https, or http to this machine. No redirect is followed, no key is sent; the
outbound proxy of the configuration is used.
"""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from llm_gateway import __version__
from llm_gateway.cli.ask import port_from_environment
from llm_gateway.cli.init_check import default_config
from llm_gateway.cli.outgoing import follow
from llm_gateway.config.load import load_config
from llm_gateway.config.models import Network
from llm_gateway.config.problems import ConfigError
from llm_gateway.config.urls import DEFAULT_PORTS, is_loopback, parse_host
from llm_gateway.network.fetch import fetch

_TARGET = re.compile(r"[!-~]*")


class SourceError(Exception):
    """It could not be had, or is not what was announced: `NAME: why`."""


def content_of(source: str, most: int, sha256: str = "") -> bytes:
    """At most `most` bytes. Blocks. Raises SourceError.

    `sha256`: what it has to be, in hex; "" for whatever it is.
    """
    try:
        return _content(source, most, sha256)
    except SourceError as e:
        raise SourceError(f"{source}: {e}") from e


def _content(source: str, most: int, sha256: str) -> bytes:
    if sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise SourceError("--sha256 is no SHA-256; write its 64 hexadecimal digits")
    content = _fetched(source) if "://" in source else _of_file(source, most)
    if len(content) > most:
        raise SourceError(f"is larger than {most:,} bytes")
    found = hashlib.sha256(content).hexdigest()
    if sha256 and found != sha256.lower():
        raise SourceError(
            f"is not the file that was announced: its SHA-256 is {found}, "
            f"not {sha256.lower()}"
        )
    return content


def _of_file(name: str, most: int) -> bytes:
    path = Path(name).expanduser()
    try:
        # A pipe that nobody writes to is no reason to wait.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            return file.read(most + 1)
    except OSError as e:
        raise SourceError(f"cannot be read: {e.strerror}") from e


def _fetched(url: str) -> bytes:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        host = parse_host(parts.hostname or "")
    except ValueError as e:
        raise SourceError(f"is no address: {e}") from None
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    if parts.scheme not in DEFAULT_PORTS or not _TARGET.fullmatch(target):
        raise SourceError("is no address; write https://HOST/PATH, or a file's name")
    if "@" in parts.netloc:
        raise SourceError("has a user name in it; leave it out")
    if parts.scheme == "http" and not is_loopback(host):
        raise SourceError("could be exchanged on its way; write https://")
    follow(_network(), port_from_environment())
    shown = f"[{host}]" if ":" in host else host
    at = shown if port == DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
    headers = [
        (b"Host", at.encode()),
        (b"Accept", b"application/json"),
        (b"User-Agent", f"llm-gateway/{__version__}".encode()),
        (b"Accept-Encoding", b"identity"),
    ]
    try:
        answer = fetch(parts.scheme, host, port, target, headers)
    except OSError as e:
        raise SourceError(f"cannot be fetched: {e.strerror or e}") from e
    if answer.status in (301, 302, 303, 307, 308):
        raise SourceError(
            f"leads elsewhere (status {answer.status}); name that address, or a file"
        )
    if answer.status != 200:
        raise SourceError(f"is answered with status {answer.status}; look where it is")
    return answer.body


def _network() -> Network:
    """The way out as it is configured; what the environment says where nothing is."""
    try:
        return load_config(default_config(), os.environ).config.network
    except ConfigError:
        return Network()
