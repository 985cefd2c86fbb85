"""The vote of `new_question` with the real `math_answer`: groups without a copy of its rules."""

from __future__ import annotations

import pytest
from datalchemy.core.errors import Refused
from datalchemy.core.record import Conversation, Record, user
from datalchemy.eval.math_answer import MathAnswer
from datalchemy.generators.new_question import NewQuestion

SEED = Record(content=Conversation(messages=(user("Leo has 5 pens and buys 3. How many pens has he?"),)), answer="8")
ONE = NewQuestion(model="teacher", k=1)


@pytest.fixture
def bench(scripted, double):
    class Real(double):
        workers = None  # plain numbers are decided without one

        async def judge(self, name, records):
            async with MathAnswer().open(self) as judge:
                return list(await judge(records))

    def made(*answers: str):
        say = lambda call: "<question>How much are 2 halves of 1,000?</question>" if call.path == "write" else answers[call.sample]  # noqa: E731
        return Real(scripted(say), {"math_answer": None})

    return made


async def test_spellings_of_one_answer_are_one_answer(bench, yielded):
    tools = bench("So it is \\boxed{1000}", "The answer is 1,000.", "\\boxed{500}", "#### 1000.0", "\\boxed{500}")
    (record,) = await yielded(ONE, SEED, tools)
    assert (record.answer, record.labels["agreeing"], record.labels["tried"]) == ("1000", 3, 4)


async def test_texts_without_a_final_answer_do_not_agree_with_each_other(bench, yielded):
    with pytest.raises(Refused, match="no_majority"):
        await yielded(ONE, SEED, bench(*["I think one has to add them up somehow"] * 5))
