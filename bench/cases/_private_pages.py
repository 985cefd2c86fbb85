"""A second labelled set for `privacy`: pages as people write them (forms, logs, signatures, configuration, chats in several languages)
with places for values, and pages full of numbers that are nobody's. The detectors were not written against these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from ._private_texts import drawn

_PLACE = re.compile(r"⟨(\w+)⟩")


class Page(NamedTuple):
    """A text with the places of what stands in it: (kind, start, end)."""

    text: str
    planted: list[tuple[str, int, int]]


def pages(n: int, seed: int = 3) -> Iterator[Page]:
    """Each page `n` times, with other values."""
    rng = Random(seed)
    for _ in range(n):
        for page in HELD:
            text, planted, at = "", list[tuple[str, int, int]](), 0
            for place in _PLACE.finditer(page):
                text += page[at : place.start()]
                value = _value(rng, place[1])
                planted.append(
                    (
                        place[1].partition("_")[0].replace("login", "url_login").replace("nid", "national_id"),
                        len(text),
                        len(text) + len(value),
                    )
                )
                text, at = text + value, place.end()
            yield Page(text + page[at:], planted)


def _value(rng: Random, name: str) -> str:
    """A value of the kind; `phone_int`, `nid_us_ssn` want one of a sort."""
    kind, _, sort = name.partition("_")
    while True:
        value, _, got = drawn(rng, {"login": "url_login", "nid": "national_id"}.get(kind, kind))
        if not sort or got.startswith(sort):
            return value


HELD = (
    "Hi team,\n\nplease update my address book entry. Old: ⟨email⟩, new: ⟨email⟩. My desk line is now ⟨phone_international⟩.\n\nThanks!",
    "--\nHead of Sales\nM ⟨phone_international⟩ | ⟨email⟩ | www.example.com",
    "user_id,mail,created\n1,⟨email⟩,2024-03-01\n2,⟨email⟩,2024-03-02\n3,⟨email⟩,2024-03-05",
    '{"customer": {"contact": {"email": "⟨email⟩", "phone": "⟨phone_national⟩"}, "payment": {"card_number": "⟨card⟩", "exp": "12/28", "amount": 1299}}}',
    "2024-05-01T12:30:11Z INFO auth: login ok for ⟨email⟩ from ⟨ip⟩ in 231 ms (session 88123)",
    "Die Rechnung bitte an ⟨email⟩ schicken, das Konto ist ⟨iban⟩, Verwendungszweck 2024-1187.",
    "Bonjour, je n'arrive pas à me connecter avec ⟨email⟩. Vous pouvez me rappeler : téléphone ⟨phone_national⟩. Merci",
    "您好，我想修改订单20240501的收货信息，手机号：⟨phone_international⟩，邮箱⟨email⟩。",
    "My number is ⟨nid_us_ssn⟩, I was born in 1984 and the claim is no. 4471-22.",
    "Empleado: 00231, DNI ⟨nid_es_dni⟩, cuenta ⟨iban⟩, salario 2.150,00 €",
    "Cliente cadastrado com CPF ⟨nid_br⟩ em 12/03/2023, pedido 99812.",
    "KYC: the applicant gave the Aadhaar number ⟨nid_in_aadhaar⟩ and the PAN ⟨nid_in_pan⟩.",
    "# .env\nDATABASE_URL=postgres://⟨login⟩@db.internal:5432/app\nAPI_KEY=⟨key_prefix⟩\nDEBUG=0\nPORT=8080",
    "curl -H 'Authorization: Bearer ⟨key_jwt⟩' https://api.example.com/v1/items?page=2",
    'import os\nclient = Client(token="⟨key_prefix⟩")  # TODO: move to the environment\nprint(client.items(limit=100))',
    "Here is the key you asked for:\n\n⟨key_pem⟩\n\nKeep it safe.",
    "arp -a\n? (192.168.1.20) at ⟨mac⟩ on en0\n? (192.168.1.1) at ⟨mac⟩ on en0",
    "traceroute to ⟨ip⟩, 30 hops max\n 1  192.168.1.1  0.9 ms\n 2  10.0.0.1  4.1 ms",
    "I paid twice! First with ⟨card⟩ and then with ⟨card⟩, both on May 3 for $84.20.",
    "Überweise es auf ⟨iban⟩ oder ruf an: Tel. ⟨phone_national⟩ (werktags 9-17 Uhr).",
    "Agent: could you confirm the tax file number?\nCaller: sure, my TFN is ⟨nid_au⟩.\nAgent: and a mobile?\nCaller: ⟨phone_international⟩.",
    "| name | e-mail | phone |\n|---|---|---|\n| A. | ⟨email⟩ | ⟨phone_international⟩ |\n| B. | ⟨email⟩ | ⟨phone_international⟩ |",
    "主叫号码登记：身份证号⟨nid_cn⟩，开户行账号见附件。",
    "Patient file 0042: codice fiscale ⟨nid_it⟩, prossima visita il 12.04.2025 alle 10:30.",
    "mailto:⟨email⟩?subject=Hello, or write on the forum.",
    "Nach dem Umbau erreichen Sie uns unter ⟨phone_international⟩ oder ⟨email⟩; die Hausnummer bleibt 17.",
)
CLEAN = (
    "The speed of light is 299792458 m/s, Planck's constant 6.62607015e-34 J s, Avogadro's number 6.02214076e23.",
    "Multiply: 123456789 x 987654321 = 121932631112635269. The digit sum is 63, so it is divisible by 9.",
    "Factorials: 10! = 3628800, 15! = 1307674368000, 20! = 2432902008176640000.",
    "Fibonacci numbers: 4181, 6765, 10946, 17711, 28657, 46368, 75025, 121393, 196418, 317811.",
    "def f(n):\n    return 1000000007 * n % 998244353\n\nassert f(123456789012) == 4",
    "SELECT id, total FROM orders WHERE id IN (1000231, 1000232, 1000233) AND created > '2024-01-01 00:00:00';",
    "The matrix is [[1, 0, 0], [0, 1, 0], [0, 0, 1]] and its determinant is 1; A@B.T is not defined for shapes (3, 4) and (5, 4).",
    "diff --git a/x.py b/x.py\nindex 83db48f..bf2a1c3 100644\n@@ -10,7 +10,7 @@ def main():",
    "npm WARN deprecated a@1.2.3, b@4.5.6-beta.1, @scope/c@10.0.0",
    "Listening on 0.0.0.0:8080 (127.0.0.1), pid 48213, uptime 86400 s",
    "Knuth, D. E. The Art of Computer Programming. ISBN 0-201-89683-4, 978-0-201-89683-1. doi:10.1145/361598.361623",
    "Treaty of 1648, battle of 1815, revolutions of 1789-1799 and 1848, census of 1900: 76,212,168 people.",
    "Day 1: 10,482 steps. Day 2: 8,311 steps. Day 3: 12,004 steps. Mean 10,265.67.",
    "Lottery numbers 03 11 19 24 38 45, bonus 07; draw 2024/118.",
    "The train leaves at 14:05, platform 12, train no. 100482, seats 61-64, booking in class 2.",
    "sin(30°) = 0.5, cos(60°) = 0.5, π ≈ 3.14159265358979, e ≈ 2.718281828459045, √2 ≈ 1.4142135623730951",
    "x^2 - 5x + 6 = 0, so x = 2 or x = 3; for a = 1234567 and b = 7654321 we get a + b = 8888888.",
    "1.e4 e5 2.Nf3 Nc6 3.Bb5 a6 4.Ba4 Nf6 5.O-O Be7 6.Re1 b5 7.Bb3 d6",
    "ATGCGTACGTTAGC, chr7:140453136-140453137, rs113488022, ENSG00000157764",
    "Order 66512-33 weighs 12.5 kg (27.6 lb), measures 120 x 80 x 95 mm, SKU 4006381333931.",
    "In 2023 revenue was $1,234,567,890 (2022: $987,654,321), up 25.0%.",
    "Use `pip install numpy==1.26.4 scipy==1.11.4` and Python 3.11.7; CUDA 12.1.105, driver 530.30.02.",
    "The password must have at least 8 characters, one digit and one symbol. The secret key is derived from the password by scrypt.",
    "token_type_ids = tokenizer(text, return_tensors='pt')['token_type_ids']  # shape: (1, 512)",
    "Set `api_key: ${API_KEY}` and `secret: !vault prod/db` in the file; never write key: value pairs by hand.",
    "The key: practise. The token: a gift. The credential is: experience2.",
    "uuid 3f2504e0-4f89-11d3-9a0c-0305e82c3301, etag \"33a64df551425fcc55e4d42a148795d9f25f89d4\", crc 0x1db42",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "A call centre takes 1200 calls a day; each call lasts 245 seconds; how many hours is that in 365 days?",
    "A telephone costs 899 euros, a mobile contract 24.99 a month for 24 months: 899 + 24 * 24.99 = 1498.76.",
    "She texts 150 messages; the phone's battery has 3279 mAh; its model number is 2111 0038.",
    "Card games: 52 cards, 2598960 hands of five. A credit of 4000 at 3.5 % for 12 months costs 140.",
    "第12345678号专利，公告日2019年07月16日，申请号201810023456，国际分类号G06F16/00。",
    "GPS: 52.520008, 13.404954; altitude 34 m; 2024-06-01 05:43:21+02:00; bearing 123.4",
    "Sudoku row: 5 3 4 6 7 8 9 1 2 / 6 7 2 1 9 5 3 4 8 / 1 9 8 3 4 2 5 6 7",
    "The identity (a+b)^2 = a^2 + 2ab + b^2 with a = 100000 and b = 123456: the number is 49930383936.",
    "Identity matrix ids: 100200300, 100200301, 100200302; the id of the run is 774411990.",
    "std::map<int, std::string> m; m[123456789] = \"a\"; foo::bar::baz(::qux);",
    "192.168.0.0/16, 10.0.0.0/8 and 172.16.0.0/12 are private; fe80::/10 is link-local; ::1 is the host itself.",
    "Room +1 (the first floor), lift -2 to +14; add +5 and -3; dial the knob to 7.",
)  # fmt: skip
