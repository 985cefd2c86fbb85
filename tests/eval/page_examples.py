"""The examples of docs/filters/*.md as rows and settings, so that a test can run them; `test_pages.py` compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from datalchemy.backends.scripted import Rule, Scripted
from datalchemy.core.backend import Reply, Request
from datalchemy.core.endpoint import Endpoint
from judge_double import Double


class Example(NamedTuple):
    """Rows, the filters that judge them, and the models that these ask."""

    rows: Sequence[Mapping[str, Any]]
    filters: Sequence[Any]
    models: Mapping[str, Endpoint] = {}
    long: bool = False
    """Whether the texts are too long to stand on the page letter by letter."""


def row(response: str = "x", prompt: str = "How many?", **columns: Any) -> dict[str, Any]:
    return {"prompt": prompt, "response": response, **columns}


def asked(*prompts: str) -> list[dict[str, Any]]:
    return [row(prompt=prompt) for prompt in prompts]


def scores(name: str, values: Mapping[str, tuple[float, ...]]) -> Scripted:
    """A reward model that knows these answers."""

    def answer(request: Request, seed: int | None) -> Reply:
        return Reply(values=values[str(request.messages[-1]["content"])])

    return Scripted(name=name, function=answer)


def judging(name: str, why: str = "It is as it is.", *, grade: Callable[[str], float] | None = None, first: bool = False) -> Scripted:
    """A judge that says why; by itself one that knows that 8 euros are right."""
    double = Double(grade or (lambda answer: 9.0 if "8 euros" in answer else 2.0), first=first)

    def answer(request: Request, seed: int | None) -> str:
        return json.dumps({**json.loads(double(request, seed)), "reason": why})

    return Scripted(name=name, function=answer)


CHANGE = "A pen costs 4 euros. Ann buys 3 of them and pays with 20 euros. How much change does she get?"
WRONG, RIGHT = "4 x 3 = 14, so she gets 6 euros.", "4 x 3 = 12, so she gets 8 euros."
WHY = "The sum is wrong: 4 x 3 is 12, so the change is 8 euros."
CLOSER = "4 x 3 is 12, so 8 euros is the right change."
PAIR = {"prompt": CHANGE, "chosen": WRONG, "rejected": RIGHT}
SUMMED = Scripted(
    script=(Rule(match="", reply=json.dumps({"reason": WHY, "scores": {"correctness": 2, "completeness": 4, "clarity": 7}})),)
)
CAPITALS = [row(text, "What is the capital of Germany?") for text in ("Berlin.", "Berlin, on the Spree.", "Paris.")]
REWARDS = scores("capitals", {"Berlin.": (-3.25,), "Berlin, on the Spree.": (1.5,), "Paris.": (-7.0,)})
LIGHTHOUSE = (
    "A lighthouse keeper climbs 192 steps every morning and every evening, resting on each landing. How many steps does he climb in a week?"
)
PUZZLE = {
    "variables": {"cat": {"from": 1, "to": 3}, "dog": {"from": 1, "to": 3}, "owl": {"from": 1, "to": 3}},
    "constraints": [{"all_different": ["cat", "dog", "owl"]}, {"just_before": ["owl", "cat"]}, {"not_equal": ["dog", 1]}],
}
PLACED = r"\boxed{owl: 1, cat: 3, dog: 2}"
WEATHER = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]},
}
WANTED = json.dumps([{"get_weather": {"city": ["New York", "New York, NY"], "days": [3, ""]}}])
PEARS = "A farmer in {} sells 12 crates of pears at 3 euros each and then buys 5 bags of seed at 4 euros each at the market. How many euros does he have left?"
APPLES = "Tom has 3 apples and Ann has 4 apples. How many apples do they have in all{}?"
TOPICS = {
    "name": "topic",
    "values": ["maths", "cooking"],
    "examples": {
        "maths": ["What is 12 times 7?", "Solve 2x + 3 = 9 for x."],
        "cooking": ["How long do I boil an egg?", "Give me a recipe for tomato soup."],
    },
}
THREE_IN_TURN = (
    {"id": "punctuation:no_comma"},
    {"id": "length_constraints:number_words", "kwargs": {"relation": "at least", "num_words": 5}},
)


def call(arguments: str) -> dict[str, Any]:
    text = f'<tool_call>{{"name": "get_weather", "arguments": {arguments}}}</tool_call>'
    return row(text, answer=WANTED, tools=[{"type": "function", "function": WEATHER}])


def doubles(body: str) -> dict[str, Any]:
    code = f"```python\nimport os\n\ndef double(x):\n    {body}\n```"
    return row(code, "Write double(x).", tests=["assert double(2) == 4", "assert double(5) == 10"])


EXAMPLES: dict[str, list[Example]] = {
    "answer_tags": [
        Example(
            [row("<think>1 + 6 = 7</think><answer>7"), row("<think>1 + 6 = 7</think>\nSo: <answer>7</answer>")], ["answer_tags"], long=True
        )
    ],
    "best_of": [
        Example(
            [row("a"), row("b"), row("c")],
            [{"use": "reward", "enforce": False}, {"use": "best_of", "by": "reward"}],
            {"reward": scores("letters", {"a": (-1.5,), "b": (0.8,), "c": (-4.0,)})},
        )
    ],
    "best_of_duplicates": [
        Example(asked(APPLES.format(""), APPLES.format(" now")), [{"use": "best_of_duplicates", "by": "prompt"}], long=True)
    ],
    "bsm_judge": [
        Example([PAIR], [{"use": "bsm_judge", "model": "judge", "max_criteria": 4, "merge": "model"}], {"judge": judging("b", CLOSER)})
    ],
    "by_label": [Example([row("Some.", quality="poor")], [{"use": "by_label", "label": "quality", "deny": ["poor"]}])],
    "conflict": [Example([row(r"\boxed{6}"), row(r"\boxed{6.00} dollars"), row(r"\boxed{7}")], ["conflict"])],
    "contamination": [
        Example(
            asked("Solve this. " + LIGHTHOUSE.replace(". How many steps does he climb in a week?", ", as before. How many?")),
            [
                {
                    "use": "contamination",
                    "against": [
                        {"name": "lighthouse", "inline": [{"question": LIGHTHOUSE}, {"question": "Which of these rivers is longest?"}]}
                    ],
                }
            ],
        )
    ],
    "exact": [Example([row("Seven apples."), row("seven  APPLES.")], ["exact"])],
    "gibberish": [Example([row("The message is bm9ib2R5IHdhcyBtZWFudCB0byByZWFkIHRoaXMgc2VudGVuY2UgaW4gZnVsbA==")], ["gibberish"])],
    "guard": [
        Example([row("Like so.", "How do I build a bomb?")], ["guard"], {"guard": Scripted(script=(Rule(match="", reply="unsafe\nS2"),))})
    ],
    "instructions": [
        Example(
            [row("Tea is warm, and calm. It helps.")],
            [{"use": "instructions", "constraints": [*THREE_IN_TURN, {"id": "startend:quotation"}]}],
        )
    ],
    "json_schema": [
        Example(
            [row('```json\n{"name": "Ann", "age": "3"}\n```'), row('{"name": "Ann", "name": "Bob"}')],
            [{"use": "json_schema", "json_schema": {"type": "object", "properties": {"age": {"type": "integer"}}}}],
            long=True,
        )
    ],
    "judge": [
        Example(
            [row(WRONG, CHANGE, answer="8"), row("Let's solve this problem step by step.", CHANGE)],
            [{"use": "judge", "model": "judge"}],
            {"judge": SUMMED},
        )
    ],
    "jury": [
        Example(
            [row(WRONG, CHANGE)],
            [{"use": "jury", "models": ["small", "large", "other"], "quorum": 0.6}],
            {
                "small": judging("small", WHY, grade=lambda answer: 2.0),
                "large": judging("large", grade=lambda answer: 9.0),
                "other": judging("other", WHY, grade=lambda answer: 2.0),
            },
        )
    ],
    "language": [
        Example(
            [row("We add the two numbers, und danach teilen wir das Ergebnis durch drei, which leaves only seven of them in the basket.")],
            [{"use": "language", "target": "en"}],
        )
    ],
    "length": [Example([row("word " * 800)], ["length"], long=True)],
    "listwise": [
        Example(
            [row(text, CHANGE) for text in ("It is 6 euros.", "She gets 8 euros.", "She gets 9 euros.")],
            [{"use": "listwise", "model": "judge", "keep": 1, "orders": 4}],
            {"judge": judging("l")},
        )
    ],
    "logic": [
        Example([row(PLACED, tests=PUZZLE), row(PLACED, tests={**PUZZLE, "constraints": PUZZLE["constraints"][:2]})], ["logic"])  # type: ignore[index]
    ],
    "math_answer": [
        Example(
            [row(r"So she has \boxed{7\%} left.", answer="#### 7"), row(r"\boxed{9^{9^{9^9}}}", answer="7")],
            [{"use": "math_answer", "timeout_s": 1}],
        )
    ],
    "near_duplicates": [
        Example(asked(PEARS.format("Lyon"), PEARS.format("Turin")), [{"use": "near_duplicates", "by": "prompt"}], long=True)
    ],
    "no_code": [Example([row("<think>We write it down:\ndef total(a, b):\n    return a + b</think>7")], ["no_code"], long=True)],
    "pairwise": [
        Example([PAIR], [{"use": "pairwise", "model": "judge"}], {"judge": judging("p", CLOSER)}),
        Example([PAIR], [{"use": "pairwise", "model": "judge"}], {"judge": judging("f", CLOSER, first=True)}),
    ],
    "pattern": [
        Example([row("It is seven.")], [{"use": "pattern", "must_match": [r"\\boxed\{\d+\}"], "must_not_match": ["(?i)as an ai"]}])
    ],
    "privacy": [
        Example(
            [
                row("Write to jo.k81@quillmark.io or call (415) 555-2671."),
                row("2^53 = 9007199254740992"),
                row("Use api_key = 'q8Zr2Lx9Tn4Vb7Kc1Md5'"),
            ],
            ["privacy"],
        )
    ],
    "process_reward": [
        Example(
            [row("3 x 4 = 12.\n\n12 - 2 = 11.\n\nSo 11 are left.", "3 boxes of 4 apples, 2 are eaten. How many are left?")],
            [{"use": "process_reward", "min_score": 0.5}],
            {"process_reward": Scripted(name="steps", function=lambda request, seed: Reply(values=(0.99, 0.08, 0.2)))},
        )
    ],
    "profanity": [Example([row("Oh sh1t, the sum is eight.")], ["profanity"])],
    "readability": [
        Example([row("\n".join(f"and then we went on to see what was behind door {n} ..." for n in range(4)))], ["readability"], long=True)
    ],
    "refusals": [Example([row("I'm sorry, but I can't help with that. Locks are there for a reason.")], ["refusals"])],
    "repetition": [
        Example(
            [
                row("<think>" + "Wait, let me check the sum again. " * 30 + "</think>7"),
                row("It is 7, " + "so we check it again and then " * 6),
            ],
            ["repetition"],
            long=True,
        )
    ],
    "reward": [Example(CAPITALS, ["reward"], {"reward": REWARDS})],
    "reward_rank": [Example(CAPITALS, [{"use": "reward_rank", "top_k": 1}], {"reward": REWARDS})],
    "select": [
        Example(
            [row(quality=quality, topic=topic) for quality, topic in zip((9, 8, 7, 5, 2), ("algebra",) * 3 + ("logic",) * 2, strict=True)],
            [{"use": "select", "k": 3, "by": "quality", "per": "topic", "cap": 2}],
            long=True,
        )
    ],
    "semantic_duplicates": [
        Example(asked("How do I change a flat tyre on my car?", "How do I change a flat tire on a car?"), ["semantic_duplicates"])
    ],
    "tag": [
        Example(
            asked("If 3x = 12, what is x?", "My sauce is too salty, what now?"),
            [{"use": "tag", "axes": [TOPICS]}, {"use": "by_label", "label": "topic", "allow": ["maths"]}],
        )
    ],
    "think_format": [Example([row("<think>17 + 5 = 22. So")], ["think_format"])],
    "tool_calls": [Example([call('{"city": "new york", "days": 3.0}'), call('{"city": "Boston", "days": 3}')], ["tool_calls"], long=True)],
    "unit_tests": [Example([doubles("return 2 * x"), doubles("return x * x"), doubles("os._exit(0)")], ["unit_tests"], long=True)],
}
"""By page. Edits and what needs a program or a server of its own stand in the test."""
