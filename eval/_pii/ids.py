"""National identification numbers with their check digits (python-stdnum; three of our own, which it has not)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import NamedTuple

from .spans import Span, in_formula, near, words

_ANY = words(
    "id_number", "id number", "national id", "national_id", "identity", "identification", "identity card", "identity number", "citizen",
    "personal number", "personal code", "tax number", "tax id", "tax_id", "taxpayer", "social security", "social insurance", "document number", "passport",
    "身份证", "身分證", "マイナンバー", "주민등록",
)  # fmt: skip
"""Words for any such number."""


class _Sort(NamedTuple):
    """One country's number."""

    name: str
    check: str
    """Module of stdnum with `is_valid`, or the name of a function here."""
    free: str
    """How it is written where no word is needed: a form that hardly any other number has; `""` for none."""
    beside: str = ""
    """How it may be written beside a word that names it."""
    said: tuple[str, ...] = ()


_N9, _N10, _N11 = r"\d{3}[ .-]?\d{3}[ .-]?\d{3}", r"\d{6}[- ]?\d{4}", r"\d{11}"
_SORTS = (
    _Sort("us_ssn", "us.ssn", r"\d{3}-\d{2}-\d{4}", r"\d{3} ?\d{2} ?\d{4}", ("ssn", "social security", "social security number")),
    _Sort("us_itin", "us.itin", r"9\d{2}-\d{2}-\d{4}", r"9\d{8}", ("itin",)),
    _Sort("in_aadhaar", "in_.aadhaar", "", r"\d{4}[ -]?\d{4}[ -]?\d{4}", ("aadhaar", "aadhar", "uidai", "uid", "आधार")),
    _Sort("in_pan", "in_.pan", r"[A-Z]{3}P[A-Z]\d{4}[A-Z]", r"[A-Z]{5}\d{4}[A-Z]", ("pan", "permanent account number")),
    _Sort("br_cpf", "br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", _N11, ("cpf",)),
    _Sort("es_dni", "es.dni", r"\d{8}-?[A-Z]", r"\d{2}\.?\d{3}\.?\d{3}[ -]?[A-Z]", ("dni", "nif", "documento")),
    _Sort("es_nie", "es.nie", r"[XYZ]-?\d{7}-?[A-Z]"),
    _Sort("it_cf", "it.codicefiscale", r"(?i:[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])"),
    _Sort("nl_bsn", "nl.bsn", "", r"\d{9}|\d{4}\.\d{2}\.\d{3}", ("bsn", "burgerservicenummer", "sofinummer")),
    _Sort("gb_nino", "_nino", r"[A-Z]{2} \d{2} \d{2} \d{2} [A-D]", r"[A-Z]{2}\d{6}[A-D]", ("nino", "ni number", "national insurance")),
    _Sort("gb_nhs", "gb.nhs", "", r"\d{3}[ -]?\d{3}[ -]?\d{4}", ("nhs",)),
    _Sort("fr_nir", "fr.nir", r"[12] ?\d{2} ?[01]\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}"),
    _Sort("pl_pesel", "pl.pesel", "", _N11, ("pesel",)),
    _Sort("kr_rrn", "kr.rrn", r"\d{6}-[1-4]\d{6}", r"\d{6}[1-4]\d{6}", ("주민등록번호", "rrn", "resident registration")),
    _Sort("cn_ric", "cn.ric", r"[1-9]\d{5}(?:19|20)\d{2}[01]\d[0-3]\d\d{3}[\dXx]"),
    _Sort("hk_id", "_hkid", r"[A-Z]{1,2}\d{6}\([0-9A]\)", r"[A-Z]{1,2}\d{6}[0-9A]", ("hkid", "hong kong identity", "hong kong id")),
    _Sort("sg_nric", "_nric", r"[STFGM]\d{7}[A-Z]"),
    _Sort("au_tfn", "au.tfn", "", _N9, ("tfn", "tax file number")),
    _Sort("ca_sin", "ca.sin", "", _N9, ("sin", "social insurance number", "nas")),
    _Sort(
        "de_idnr",
        "de.idnr",
        "",
        r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        ("steuer-id", "steuer-idnr", "idnr", "steueridentifikationsnummer", "steuerliche"),
    ),
    _Sort("mx_curp", "mx.curp", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[0-9A-Z]\d"),
    _Sort("za_id", "za.idnr", "", r"\d{13}", ("rsa id", "south african id", "sa id")),
    _Sort("se_pnr", "se.personnummer", "", r"(?:\d{2})?\d{6}[-+ ]?\d{4}", ("personnummer", "personal identity number")),
    _Sort("no_fnr", "no.fodselsnummer", "", r"\d{6} ?\d{5}", ("fødselsnummer", "fodselsnummer", "personnummer")),
    _Sort("dk_cpr", "dk.cpr", "", _N10, ("cpr", "cpr-nummer", "personnummer")),
    _Sort("fi_hetu", "fi.hetu", r"\d{6}[-+A]\d{3}[0-9A-FHJ-NPR-Y]"),
    _Sort("be_nn", "be.nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", _N11, ("rijksregisternummer", "numéro national", "registre national")),
    _Sort("ch_ahv", "ch.ssn", r"756\.\d{4}\.\d{4}\.\d{2}", r"756\d{10}", ("ahv", "avs")),
    _Sort("tr_tckn", "tr.tckimlik", "", _N11, ("tckn", "tc kimlik", "kimlik no")),
    _Sort("il_id", "il.idnr", "", r"\d{9}", ("teudat zehut", "israeli id", "תעודת זהות")),
    _Sort("ie_pps", "ie.pps", "", r"\d{7}[A-W][A-IW]?", ("pps", "ppsn", "pps number")),
    _Sort("cl_rut", "cl.rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]", r"\d{7,8}-[\dKk]", ("rut", "run")),
    _Sort("ar_cuit", "ar.cuit", r"2[0347]-\d{8}-\d", r"2[0347]\d{9}", ("cuit", "cuil")),
    _Sort("ro_cnp", "ro.cnp", "", r"[1-8]\d{12}", ("cnp", "cod numeric personal")),
    _Sort("bg_egn", "bg.egn", "", r"\d{10}", ("егн", "egn")),
    _Sort("cz_rc", "cz.rc", "", r"\d{6}/?\d{3,4}", ("rodné číslo", "rodne cislo")),
    _Sort("gr_amka", "gr.amka", "", _N11, ("αμκα", "amka")),
    _Sort("my_nric", "my.nric", r"\d{6}-\d{2}-\d{4}", r"\d{12}", ("mykad", "nric")),
    _Sort("th_pin", "th.pin", r"\d-\d{4}-\d{5}-\d{2}-\d", r"\d{13}", ("เลขประจำตัวประชาชน", "thai id")),
    _Sort("jp_my_number", "jp.in_", "", r"\d{4}[ -]?\d{4}[ -]?\d{4}", ("マイナンバー", "my number", "個人番号")),
    _Sort("ru_inn", "ru.inn", "", r"\d{12}", ("инн", "inn")),
)
SORTS = tuple(sort.name for sort in _SORTS)
_S, _E = r"(?<![A-Za-z0-9_.,+-])", r"(?![A-Za-z0-9_-]|[.,]\d)"
_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]")
_UNCHECKED = frozenset({"us_ssn", "us_itin", "gb_nino"})
"""Numbers that have no check digit."""
_RESERVED = frozenset({"219099999", "078051120"})
"""Social security numbers that were printed in advertisements, as are those from 987-65-4320 on."""


@cache
def _free() -> tuple[tuple[re.Pattern[str], _Sort], ...]:
    """Forms that need no word."""
    return tuple((re.compile(f"{_S}(?=({sort.free}){_E})"), sort) for sort in _SORTS if sort.free)


@cache
def _beside() -> tuple[re.Pattern[str], tuple[tuple[_Sort, re.Pattern[str], re.Pattern[str]], ...]]:
    found = [sort for sort in _SORTS if sort.beside]
    every = words(*dict.fromkeys(word for sort in found for word in sort.said))
    return every, tuple(
        (sort, words(*sort.said), re.compile(f"{_S}(?=({sort.free + '|' if sort.free else ''}{sort.beside}){_E})", re.IGNORECASE))
        for sort in found
    )


def ids(text: str) -> Iterator[Span]:
    """Numbers with right check digits; where digits alone say little, only beside a word that names such a number."""
    for pattern, sort in _free():
        for found in pattern.finditer(text):
            if not in_formula(text, *found.span(1)) and _valid(sort, found[1]):
                yield Span("national_id", *found.span(1), sort.name)
    every, sorts = _beside()
    named, general = every.search(text) is not None, _ANY.search(text) is not None
    for sort, said, pattern in sorts if named or general else ():
        if not general and said.search(text) is None:
            continue
        for found in pattern.finditer(text):
            if _announced(text, *found.span(1), sort, said) and _valid(sort, found[1]):
                yield Span("national_id", *found.span(1), sort.name)


def _announced(text: str, start: int, end: int, sort: _Sort, said: re.Pattern[str]) -> bool:
    """A word for any number will do only where check digits speak too."""
    return near(text, start, end, said) or (sort.name not in _UNCHECKED and near(text, start, end, _ANY, before=40, after=0))


def _valid(sort: _Sort, said: str) -> bool:
    bare = re.sub(r"[ .()/-]", "", said)
    if bare in _RESERVED or bare.startswith("98765432") or len(set(bare)) < 3:
        return False
    check = _checker(sort.check)
    return check(said.upper()) or (" " in said and check(bare.upper()))


@cache
def _checker(name: str) -> Callable[[str], bool]:
    own = {"_nino": _nino, "_hkid": _hkid, "_nric": _nric}
    checked: Callable[[str], bool] = own[name] if name in own else import_module(f"stdnum.{name}").is_valid
    return checked


def _nino(said: str) -> bool:
    return _NINO.fullmatch(said.replace(" ", "")) is not None


def _hkid(said: str) -> bool:
    """Weights 9 to 2 over eight characters (a blank counts 36), check digit modulo 11."""
    bare = said.replace("(", "").replace(")", "")
    values = [36] * (8 - len(bare[:-1])) + [int(char, 36) for char in bare[:-1]]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return (total + int(bare[-1], 36)) % 11 == 0


def _nric(said: str) -> bool:
    """Weights 2 7 6 5 4 3 2, an offset for the century, a table of letters for the kind."""
    total = sum(int(digit) * weight for digit, weight in zip(said[1:8], (2, 7, 6, 5, 4, 3, 2), strict=True))
    total += {"T": 4, "G": 4, "M": 3}.get(said[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}[said[0]]
    return letters[(10 - total % 11) if said[0] == "M" else total % 11] == said[8]
