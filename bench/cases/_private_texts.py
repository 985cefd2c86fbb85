"""A labelled set for `privacy`, made by program: values of each kind planted in sentences, and texts full of numbers without any.

Values are drawn at random and given right check digits by search; telephone numbers are varied from the example numbers
of each country's numbering plan. None of them comes from a person or a data set.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from importlib import import_module
from random import Random
from typing import NamedTuple

import phonenumbers

SOME = "abcdefghijklmnopqrstuvwxyz"
ALNUM = SOME + SOME.upper() + "0123456789"
HEX = "0123456789abcdef"


class Planted(NamedTuple):
    """A text, and what stands in it: the kind with its place, or nothing."""

    text: str
    kind: str = ""
    start: int = 0
    end: int = 0
    sort: str = ""


def draw(rng: Random, pattern: str) -> str:
    """`#` a digit, `@` a small letter, `A` a capital, `x` a hex digit, `*` any of letters and digits, `\\` the next one as it is."""
    out, as_is = "", False
    for char in pattern:
        if as_is or char not in "#@Ax*\\":
            out, as_is = out + char, False
        elif char == "\\":
            as_is = True
        else:
            out += rng.choice({"#": "0123456789", "@": SOME, "A": SOME.upper(), "x": HEX, "*": ALNUM}[char])
    return out


def until(rng: Random, pattern: str, right: Callable[[str], bool]) -> str:
    """Drawn until the check digits are right."""
    while not right(value := draw(rng, pattern)):
        pass
    return value


def fours(digits: str, between: str) -> str:
    return between.join(digits[i : i + 4] for i in range(0, len(digits), 4))


def email(rng: Random) -> str:
    local = draw(rng, rng.choice(("@.@@@@@@", "@@@@@@##", "@@@@_@@@@@", "@@@@+@@@@", "@@@@@@@@", "A@@@@.A@@@@")))
    host = draw(rng, rng.choice(("@@@@@@@", "mail.@@@@@@", "@@@-@@@@@", "@@@@##")))
    return f"{local}@{host}.{rng.choice(('com', 'org', 'net', 'de', 'co.uk', 'fr', 'cn', 'io', 'edu', 'info', 'com.br'))}"


NATIONAL = ("US", "GB", "DE", "FR", "ES", "IT", "IN", "CN", "JP", "KR", "BR", "AU")


def phone(rng: Random, national: bool) -> str:
    """A valid number of some country, as that country writes it."""
    while True:
        region = rng.choice(NATIONAL if national else (*NATIONAL, "CH", "SE", "MX", "NG", "ZA", "PL"))
        kind = rng.choice((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE))
        number = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
        tail = 10 ** rng.choice((3, 4))
        number.national_number = number.national_number // tail * tail + rng.randrange(tail)
        if phonenumbers.is_valid_number(number) and "55501" not in str(number.national_number):
            style = phonenumbers.PhoneNumberFormat
            return str(phonenumbers.format_number(number, style.NATIONAL if national else rng.choice((style.INTERNATIONAL, style.E164))))


def card(rng: Random) -> str:
    brands = ("4" + "#" * 15, "51" + "#" * 14, "54" + "#" * 14, "34" + "#" * 13, "37" + "#" * 13, "6011" + "#" * 12, "3528" + "#" * 12)
    digits = until(rng, rng.choice(brands), import_module("stdnum.luhn").is_valid)
    if len(digits) == 15:
        return rng.choice((digits, f"{digits[:4]} {digits[4:10]} {digits[10:]}"))
    return rng.choice((digits, fours(digits, " "), fours(digits, "-")))


def iban(rng: Random) -> str:
    countries = (("DE", 0, 18), ("GB", 4, 14), ("NL", 4, 10), ("FR", 0, 23), ("CH", 0, 17), ("AT", 0, 16), ("PL", 0, 24))
    country, letters, digits = rng.choice(countries)
    account = draw(rng, "A" * letters + "#" * digits)
    check = 98 - int("".join(str(int(char, 36)) for char in account + country + "00")) % 97
    bare = f"{country}{check:02}{account}"
    return rng.choice((bare, fours(bare, " ")))


IDS = (
    ("us_ssn", "us.ssn", ("###-##-####",), ("her SSN is {}", "Social Security Number: {}", "{} is on file as the ssn", "she wrote {} on the form")),
    ("in_aadhaar", "in_.aadhaar", ("#### #### ####", "############"), ("my Aadhaar is {}", "Aadhaar number: {}", "आधार {}")),
    ("in_pan", "in_.pan", ("AAAPA####A",), ("PAN {} was verified", "the PAN card says {}", "filed under {}")),
    ("br_cpf", "br.cpf", ("###.###.###-##", "###########"), ("CPF: {}", "o CPF dele é {}", "meu cpf {}")),
    ("es_dni", "es.dni", ("########A",), ("DNI {}", "con número {} en la lista", "su DNI es {}")),
    ("es_nie", "es.nie", ("X#######A", "Y#######A"), ("NIE: {}", "el número {}", "residente {}")),
    ("nl_bsn", "nl.bsn", ("#########",), ("BSN {}", "burgerservicenummer: {}", "zijn bsn is {}")),
    ("gb_nino", "", (), ("National Insurance number {}", "NI number: {}", "NINO {}")),
    ("fr_nir", "", (), ("numéro de sécurité sociale {}", "NIR : {}", "assuré {}")),
    ("pl_pesel", "pl.pesel", ("##0#1######",), ("PESEL {}", "numer PESEL: {}", "pesel to {}")),
    ("kr_rrn", "kr.rrn", ("##0###-1######",), ("주민등록번호 {}", "번호는 {} 입니다", "registered as {}")),
    ("cn_ric", "cn.ric", ("110105199#031##0##",), ("身份证号码{}", "她的身份证是 {}。", "id {}")),
    ("sg_nric", "", (), ("NRIC {}", "NRIC no. {}", "holder {}")),
    ("au_tfn", "au.tfn", ("### ### ###", "#########"), ("TFN {}", "tax file number: {}", "my TFN is {}")),
    ("ca_sin", "ca.sin", ("### ### ###", "###-###-###"), ("SIN {}", "social insurance number {}", "his SIN: {}")),
    ("de_idnr", "de.idnr", ("## ### ### ###", "###########"), ("Steuer-ID {}", "steueridentifikationsnummer: {}", "IdNr {}")),
    ("mx_curp", "mx.curp", ("AEAA900#1#HDFAAA0#",), ("CURP {}", "su CURP: {}", "clave {}")),
    ("it_cf", "it.codicefiscale", ("AAAAAA8#A1#A###A",), ("codice fiscale {}", "C.F. {}", "intestato a {}")),
    ("za_id", "za.idnr", ("8#0#1#####08#",), ("South African ID {}", "identity number {}", "national id: {}")),
    ("ch_ahv", "ch.ssn", ("756.####.####.##",), ("AHV {}", "numéro AVS {}", "Versicherte {}")),
)  # fmt: skip


def national_id(rng: Random) -> tuple[str, str, str]:
    sort, module, patterns, sentences = rng.choice(IDS)
    if sort == "gb_nino":
        blank = rng.choice(("", " "))
        value = blank.join(
            (rng.choice("AEHLMPRSWY") + rng.choice("ABCEGHJKLMPRSTWXYZ"), *(draw(rng, "##") for _ in range(3)), rng.choice("ABCD"))
        )
    elif sort == "sg_nric":
        digits = draw(rng, "#######")
        total = sum(int(d) * w for d, w in zip(digits, (2, 7, 6, 5, 4, 3, 2), strict=True))
        value = f"S{digits}{'JZIHGFEDCBA'[total % 11]}"
    elif sort == "fr_nir":
        body = draw(rng, f"1##0{rng.choice('123456789')}75######")
        value = f"{body}{97 - int(body) % 97:02}"
    else:
        value = until(rng, rng.choice(patterns), import_module(f"stdnum.{module}").is_valid)
    return value, rng.choice(sentences), sort


def key(rng: Random) -> tuple[str, str, str]:
    """A token with the prefix of a service, something assigned to a name, a JSON web token or a private key."""
    shape = rng.choice(("prefix", "prefix", "assigned", "jwt", "pem"))
    if shape == "pem":
        lines, kind = "\n".join(draw(rng, "*" * 64) for _ in range(rng.randint(3, 20))), rng.choice(("", "RSA ", "EC ", "OPENSSH "))
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----", "key:\n{}\n", shape
    if shape == "jwt":
        parts = (b'{"alg":"HS256","typ":"JWT"}', f'{{"sub":"{draw(rng, "##########")}"}}'.encode())
        head, body = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
        return f"{head}.{body}.{draw(rng, '*' * 43)}", "token {}", shape
    if shape == "assigned":
        value = until(rng, rng.choice(("*" * 32, "x" * 40, "*" * 24 + "==", "*" * 20)), lambda text: any(map(str.isdigit, text)))
        return (
            value,
            rng.choice(
                (
                    'api_key = "{}"',
                    "API_KEY={}",
                    '{{"client_secret": "{}"}}',
                    "password: {}",
                    "access_token: {}",
                    "Authorization: Bearer {}",
                )
            ),
            shape,
        )
    long = (
        ("\\AKI\\A", 15),
        ("\\xo\\xb-##########-############-", 24),
        ("ghp_", 36),
        ("github_pat_", 40),
        ("glpat-", 20),
        ("\\AI\\za", 34),
        ("sk-", 40),
        ("sk-proj-", 60),
        ("sk-ant-api03-", 50),
        ("sk_live_", 24),
        ("hf_", 34),
    )
    prefix, length = rng.choice(long)
    value = draw(rng, prefix + ("A" if "AKI" in prefix else "*") * length + "#")
    return (
        value,
        rng.choice(("export TOKEN={}", "the key is {} and works", "client = Client('{}')", "headers: {}", "我的密钥是{}", "Use {}.")),
        shape,
    )


def ip(rng: Random) -> str:
    if rng.random() < 0.3:
        return draw(rng, "2a0#:xxxx:xxxx:xx::x")
    return ".".join(
        map(str, (rng.choice((5, 23, 45, 78, 91, 134, 185, 212)), rng.randrange(33, 256), rng.randrange(256), rng.randrange(1, 255)))
    )


def url_login(rng: Random) -> tuple[str, str, str]:
    login = draw(rng, rng.choice(("@@@@@:*********", "admin:@@@@####", "root:*****-****")))
    return login, rng.choice(("https://{}@db.firm.com/x", "postgres://{}@localhost:5432/a", "clone http://{}@git.firm.org/a.git")), ""


ANY = (
    "Please write to {} before Friday.", "He said it was {}, I think.", "Contact: {}", '{{"value": "{}"}}', "| name | {} |", "我的是{}，谢谢。",
    "({})", "- {}\n- something else", "You can use {}.", "Es ist {}.", "Voici : {}", "<td>{}</td>",
)  # fmt: skip
PHONE = (
    "Call me at {}.", "Phone: {}", '{{"phone": "{}"}}', "tel. {}", "My mobile number is {}, any time.", "Telefon: {}", "电话：{}", "teléfono {}",
    "WhatsApp {}",
)  # fmt: skip
CARD = (*ANY, "card number {}", "Visa {} exp 04/29", "paid with {} yesterday")
IBAN = (*ANY, "IBAN: {}", "transfer it to {} today")
IP = ("The server at {} is down.", "ssh root@{}", "Connection from {} refused", "| {} | 200 |", "ping {}", "logged in from {}.")


def drawn(rng: Random, kind: str) -> tuple[str, str, str]:
    """(value, sentence, sort) of one kind."""
    match kind:
        case "email":
            return email(rng), rng.choice(ANY), ""
        case "phone" if rng.random() < 0.5:
            return phone(rng, national=True), rng.choice(PHONE), "national"
        case "phone":
            return phone(rng, national=False), rng.choice((*PHONE, *ANY)), "international"
        case "card":
            return card(rng), rng.choice(CARD), ""
        case "iban":
            return iban(rng), rng.choice(IBAN), ""
        case "national_id":
            return national_id(rng)
        case "key":
            return key(rng)
        case "url_login":
            return url_login(rng)
        case "ip":
            return ip(rng), rng.choice(IP), ""
    return draw(rng, rng.choice(("xx:xx:xx:xx:xx:a#", "xx-xx-xx-xx-xx-f#"))), rng.choice(ANY), ""


KINDS = ("email", "phone", "card", "iban", "national_id", "key", "url_login", "ip", "mac")


def positives(n: int, seed: int = 1) -> Iterator[Planted]:
    """`n` texts of each kind."""
    rng = Random(seed)
    for _ in range(n):
        for kind in KINDS:
            value, sentence, sort = drawn(rng, kind)
            before, after = (
                part.replace("\0", "{").replace("\1", "}") for part in sentence.replace("{{", "\0").replace("}}", "\1").split("{}")
            )
            yield Planted(before + value + after, kind, len(before), len(before) + len(value), sort)


def negatives(n: int, seed: int = 2) -> Iterator[Planted]:
    """Numbers, code and look-alikes that are nobody's: `n` of each pattern."""
    rng = Random(seed)
    for _ in range(n):
        for pattern in NEGATIVE:
            yield Planted(draw(rng, pattern))


NEGATIVE = (
    "We compute ### × ### = ###### and then ######## ÷ ## = ######.", "4^26 = 4503599627370496 and 2^53 = 9007199254740992", "x = ################, y = ################",
    "The digits are #, #, ##, ##, ###, ###, ####.", "π ≈ 3.###############", "$\\\\frac{##########}{###########}$", "1 + 2 + ... + ## = ###; ###-## = ##",
    "Numbers: #### #### #### #### ####", "### ### ### ### and so on", "The sequence 1 1 2 3 5 8 13 21 34 55 89 144 233 377 610 987", "population: ##,###,### people in 20##", "0.############",
    "The train travels ### km in ## h: ###/## = #.##", "ISBN 978-#-##-######-#", "ISBN-13: 978##########", "DOI 10.####/j.@@@@.20##.##.###", "arXiv:2#0#.#####", "version 1.#.#.#", "v2.#.1#.#",
    "Chrome/1##.0.6###.1## Safari/5##.36", "pip install @@@@==1.#.#.##", "section 3.#.2.#", "python 3.1#.# on 127.0.0.1", "host 10.0.#.#, router 192.168.1.#", "see 192.0.2.# and 203.0.113.#",
    "on 20##-0#-1# at 1#:##:## UTC", "20##-0#-1#T0#:##:##.###Z", "timestamp 17########", "1#/0#/19##", "\\#xxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx", "commit xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sha256:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "color: \\#xxxxxx;", "0\\xxxxxxxxx", "order #########", "invoice no. 20##-######", "Price: $#,###,###.##", "€ ###.###,##",
    "coordinates 48.####, 11.####", "12 34 56 78 90 12", "12:34:56:##:##:##", "area ### m², volume #### cm³", "score ##-##, ###-###", "tracking ##############", "EAN 4############", "y = X\\@W.T + b",
    "out = \\A\\@B.dot(C)", "\\@app.route('/x')", "import {a} from '@@@@/b\\@2.#.#.js'", "icon\\@2\\x.png", "git clone git\\@host.org:a/b.git", "mail user\\@e\\xample.com or a\\@b.test", "@@@@@@ follows \\@@@@@@@ here", "std::vector<int>::iterator a::b",
    "key = 'customer_name_field'", "primary key: order_item_id", "token = tokenizer.encode(te\\xt)", "password = input('Password: ')", "password: \\*\\*\\*\\*\\*\\*\\*\\*", "api_key = os.environ['API_KEY']", "\\API_KEY=your-api-key-here", "api_key: str = Field(default='')",
    "the key is to see that ### divides ####", "tokens: ####, keys: ###", "sk-learn-style-pipelines-are-nice-to-have", "The secret is practice, practice, practice.", "https://e\\xample.com/path?id=###&page=#", "https://user:password\\@e\\xample.com", "http://a.org:8080/\\x\\@y",
    "call 202-555-01## (a number for films)", "+1 202 555 01##", "f(#######) = ######## mod ########", "a phone costs ####### won", "we call ######## a palindrome", "te\\xt: ######## characters", "Given n = ###########, find n mod 97.", "测试数字 ########### 是否为素数", "第####题：##########÷##=?",
    "card 4242 4242 4242 4242 is a test card", "IBAN DE89 3704 0044 0532 0130 00 is the example", "\\A4-paper is 210 \\x 297", "C\\AS ####-##-#", "H2SO4, C6H12O6, NaHCO3", "gene \\ABCD1 at chr#:########-########", "ICD \\A##.#", "room B###, gate C##", "flight LH###", "BMW X# 20##", "call f(#########) and return #########", "for (int i = 0; i < ########; i++)", "Let a = ###-###-### and b = ###", "a - b = ##########-##########",
)  # fmt: skip
