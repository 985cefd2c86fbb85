"""Addresses of machines: IPv4, IPv6, MAC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address

from .spans import Span, near, words

_V4 = re.compile(r"(?<![A-Za-z0-9_.-])(?=(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?!\.?[A-Za-z0-9_]|-\d))")
_V6 = re.compile(r"(?<![A-Za-z0-9_:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![A-Za-z0-9_:])")
_MAC = re.compile(r"(?<![A-Za-z0-9_:-])[0-9A-Fa-f]{2}([:-])[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}(?![A-Za-z0-9_:-])")
_VERSION = re.compile(
    r"(?:\bv|\bver(?:sion)?s?|\brelease|\bsection|\bbuild|\bchapter|\brev(?:ision)?|§|[=~<>!]=|==)\.?:?\s?$", re.IGNORECASE
)
_SAID = words(
    "ip",
    "ips",
    "ipv4",
    "address",
    "addresses",
    "host",
    "hosts",
    "server",
    "client",
    "dns",
    "ping",
    "ssh",
    "login",
    "from",
    "connect",
    "地址",
    "服务器",
)
_RESOLVERS = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"})
_SMALL = 32
"""Four numbers all below this are a version or a section, unless a word says otherwise."""


def addresses(text: str, *, private: bool) -> Iterator[Span]:
    """IP addresses: public ones, and with `private` those of local networks too. Documentation's own are nobody's."""
    for found in _V4.finditer(text) if text.count(".") >= 3 else ():
        start, end = found.span(1)
        if not _counts(_v4(found[1]), private) or found[1] in _RESOLVERS or _VERSION.search(text, max(0, start - 12), start):
            continue
        if max(map(int, found[1].split("."))) >= _SMALL or near(text, start, end, _SAID, before=24, after=0):
            yield Span("ip", start, end, "ipv4")
    for found in _V6.finditer(text) if text.count(":") >= 2 else ():
        if _counts(_v6(found[0]), private=False):
            yield Span("ip", *found.span(), "ipv6")


def _v4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def _v6(text: str) -> IPv6Address | None:
    try:
        return IPv6Address(text)
    except AddressValueError:
        return None


def _counts(address: IPv4Address | IPv6Address | None, private: bool) -> bool:
    if address is None or address.is_multicast or address.is_loopback or address.is_unspecified:
        return False
    return address.is_global or (private and any(address in net for net in _LOCAL))


_LOCAL = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def macs(text: str) -> Iterator[Span]:
    """Hardware addresses; those of documentation (00-00-5E-00-53-xx) and pure digits (a list of numbers) are none."""
    for found in _MAC.finditer(text) if text.count(":") >= 5 or text.count("-") >= 5 else ():
        bare = found[0].replace(found[1], "").lower()
        if not bare.isdigit() and not bare.startswith("00005e0053") and len(set(bare)) > 1:
            yield Span("mac", *found.span())
