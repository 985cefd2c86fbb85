"""conflict: questions answered three times, some of them once in another way; the odd answers are refused and no others."""

from __future__ import annotations

from collections.abc import Iterator

from datalchemy.core.record import Conversation, Record, assistant, user
from gauge import Line, above, plain, rate, scored, verdicts

from ._texts import texts

QUESTIONS = 1000
FORMS = ("So it is \\boxed{%d}.", "The answer is %d.", "We get %d.00 in all.\n#### %d.00")


def answers() -> tuple[list[Record], list[bool]]:
    """Three answers to each question in three forms, and which of them are wrong: every fourth question has one."""
    records, wrong = [], []
    for n, words in enumerate(texts(QUESTIONS, 25)):
        for form in range(3):
            odd = n % 4 == 0 and form == n % 3
            value = n + 1 if odd else n
            text = FORMS[form] % ((value,) * FORMS[form].count("%d"))
            question = f"{' '.join(words)} with {n} of them?"
            records.append(Record(content=Conversation(messages=(user(question), assistant(text))), origin=f"{n}.{form}"))
            wrong.append(odd)
    return records, wrong


def speed() -> Iterator[Line]:
    yield plain("1,000 questions answered three times", rate({"use": "conflict"}, answers()[0], warm=0, repeat=1))


def accuracy() -> Iterator[Line]:
    records, wrong = answers()
    found = [verdict.outcome == "refuse" for verdict in verdicts({"use": "conflict"}, records)]
    yield above("3,000 answers to 1,000 questions, one in four with an odd one out: accuracy", scored(found, wrong).accuracy, 1.0, "")
