from __future__ import annotations

from collections.abc import Callable

import pytest
from datalchemy.core.record import Conversation, Message, Record
from datalchemy.eval.refusals import Refusals
from hypothesis import given
from hypothesis import strategies as st

REFUSED = {
    "refusal": [
        "I'm sorry, but I can't help with that.", "I cannot assist you with this request.", "I’m unable to provide medical advice.", "I am sorry, I cannot do that.",
        "I must respectfully decline.", "This request violates my guidelines.", "Unfortunately, I can't provide instructions for that.", "I won't help with illegal things.",
        "抱歉，我无法提供这方面的信息。", "很遗憾，我不能回答这个问题。", "我无法为您提供帮助。", "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.",
        "Désolé, mais je ne peux pas vous aider.", "Lo siento, pero no puedo ayudarte con eso.", "Mi dispiace, ma non posso aiutarti.",
        "Desculpe, mas não posso ajudar com isso.", "Het spijt me, maar ik kan je daar niet bij helpen.", "Извините, но я не могу вам помочь.",
        "申し訳ありませんが、そのご要望にはお答えできません。", "죄송하지만 그 요청은 도와드릴 수 없습니다.",
    ],
    "speaks_as_ai": [
        "As an AI language model, I do not have feelings. Still, 7.", "The answer is 7. I'm just an AI, so check it.", "My knowledge cutoff is 2023.",
        "作为一个人工智能语言模型，我认为是7。", "我是一个由某公司开发的大语言模型。", "Als KI habe ich keine Meinung.", "En tant qu'IA, je n'ai pas d'avis.",
        "Como modelo de lenguaje, no tengo opiniones.", "Как языковая модель, я не имею мнения.", "AIとして、意見はありません。", "저는 인공지능입니다.",
    ],
    "closing_phrase": [
        "It is 7. Is there anything else I can help you with?", "It is 7. Feel free to ask!", "The sum is 7. I hope this helps!", "The sum is 7. Let me know if you have any questions.",
        "答案是7。希望这对您有帮助！", "答案是7。如果您还有其他问题，请随时告诉我。", "Das ist 7. Lassen Sie es mich wissen, wenn Sie Fragen haben.", "C'est 7. N'hésitez pas à demander.",
    ],
    "asks_for_input": ["Could you please provide the text you want translated?", "It seems you haven't included the table.", "请您提供需要翻译的文本。"],
}  # fmt: skip
KEPT = [
    "We cannot help but notice that 7 is prime.", "The number x cannot be negative, so x = 7.", "I can't believe that it is 7, but it is.", "I cannot find a smaller one, so the answer is 7.",
    "He said: \"I'm sorry, but I can't help you.\" Then he left.", "> As an AI language model, I cannot help.\n\nThis sentence is a typical refusal.", "“I cannot assist with this request” is what it says.",
    "```\nprint(\"I'm sorry, I can't do that\")\n```\nThe program prints an excuse.", "她说：“抱歉，我无法帮助你。”然后走了。「抱歉，我无法提供」是常见的拒绝。",
    "I'm sorry to hear that your order is late. It will arrive on Monday.", "An AI model is trained on data.", "As an artist, I do not use blue.", "As an air filter, it does well.",
    "Please provide your name on the form: this is what the sign says.", "If you have 7 apples and eat two, five are left.", "我们无法从等式得出更多，所以答案是7。", "Ich kann die Summe nicht kürzen, also bleibt 7.",
    "The robot can't open the door. It turns around.", "Sorry, I made a mistake: the sum is 7, not 8.", "I hope that the weather holds, she wrote.", "Let me know the sum of two and five: seven.",
    "The machine will not provide power below 7 volts.",
]  # fmt: skip


def said(text: str, **settings: object) -> str:
    record = Record(content=Conversation(messages=(Message(role="assistant", content=text),)))
    verdict = Refusals.model_validate(settings).check(record)
    return verdict.reason or verdict.outcome


@pytest.mark.parametrize(("word", "text"), [(word, text) for word, texts in REFUSED.items() for text in texts])
def test_refusals_and_boilerplate_are_found(word: str, text: str) -> None:
    assert said(text).startswith(f"{word}: in the answer: ")


@pytest.mark.parametrize("text", KEPT)
def test_what_is_quoted_or_only_looks_like_it_is_kept(text: str) -> None:
    assert said(text) == "keep"


def test_where_it_stands_counts() -> None:
    story = "The two of them walked home and talked about the weather for a long while. " * 6
    late = story + "I'm sorry, but I can't help with that. " + story
    assert said(late) == "keep"
    assert said(late, everywhere=True).startswith("refusal: ")
    assert said("I hope this helps! " + story) == "keep"
    assert said(story + "As an AI language model, I do not walk. " + story).startswith("speaks_as_ai: ")


def test_kinds_languages_and_own_phrases() -> None:
    text = "It is 7. I hope this helps!"
    assert said(text, kinds=["refusal"]) == "keep"
    assert said(text, languages=["zh"]) == "keep"
    assert said("Certainly! It is 7.", phrases=["certainly!"]) == "phrase: in the answer: certainly!"
    assert said('"Certainly!" he said.', phrases=["certainly!"]) == "keep"


def test_the_reason_shows_the_sentence(reply: Callable[..., Record]) -> None:
    verdict = Refusals().check(reply("It is seven. I'm just an AI, so check it yourself. Bye."))
    assert verdict.reason == "speaks_as_ai: in the answer: I'm just an AI, so check it yourself."
    assert verdict.evidence == {"part": "answer", "kind": "self"}


@given(
    st.lists(st.sampled_from([text for texts in REFUSED.values() for text in texts] + KEPT + ['"', "`", "“", "\n", "```"]) | st.text()).map(
        "".join
    )
)
def test_any_text_gets_a_verdict(text: str) -> None:
    assert said(text).startswith(("keep", "refusal: ", "speaks_as_ai: ", "closing_phrase: ", "asks_for_input: "))


@pytest.mark.parametrize(
    "text", ['"' * 200_000, "`" * 200_000, "“" * 200_000, "I'm sorry, " * 50_000, "as an AI " * 50_000, "\ud800" * 1000, "leider " * 50_000]
)
def test_hostile_texts_end(text: str) -> None:
    said(text, everywhere=True)
