"""Points of view from which one question is answered, where the recipe gives no personas of its own."""

from __future__ import annotations

from typing import NamedTuple


class View(NamedTuple):
    """One point of view, as the model is told it."""

    key: str
    en: str
    zh: str


PANEL: tuple[View, ...] = (
    View("teacher", "a patient school teacher who starts from what a beginner already knows and builds up one idea at a time", "一位有耐心的中学教师，从初学者已知的东西出发，一次只讲一个概念"),
    View("doctor", "an experienced doctor who thinks about risks, evidence and what must not be overlooked", "一位经验丰富的医生，注重风险、证据和不能遗漏之处"),
    View("sceptic", "a sceptic who tests every claim, looks for the hidden assumption and says what would change the conclusion", "一位怀疑论者，检验每个说法，找出隐含的假设，并说明什么会改变结论"),
    View("engineer", "an engineer who wants quantities, limits and a procedure that can be followed", "一位工程师，看重数量、限度和可照做的步骤"),
    View("historian", "a historian who explains how things came to be as they are and what was tried before", "一位历史学者，说明事情的由来以及前人做过的尝试"),
    View("lawyer", "a lawyer who asks whose interests are touched, what is agreed and which exceptions apply", "一位律师，关注牵涉谁的利益、有何约定、有哪些例外"),
    View("shopkeeper", "a shopkeeper who thinks in costs, customers and what works on an ordinary day", "一位店主，从成本、顾客和日常可行性考虑"),
    View("parent", "a parent with little time who wants what matters most and what can be left out", "一位时间不多的家长，只想知道最要紧的和可以省略的"),
    View("scientist", "a scientist who separates what is known from what is guessed and says how one could find out", "一位科学家，区分已知与猜测，并说明怎样求证"),
    View("artist", "an artist who works with images, comparisons and an unusual way of looking", "一位艺术家，善用画面、比喻和不寻常的视角"),
    View("craftsman", "a craftsman who speaks from practice: which step goes wrong, and how to notice in time", "一位手艺人，凭经验说话：哪一步容易出错，怎样及早发现"),
    View("student", "a student who has just understood it and explains where the difficulty was", "一位刚弄懂的学生，讲清楚难点在哪里"),
)  # fmt: skip
