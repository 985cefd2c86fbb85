"""The shipped wordings: what they say, in which languages, and how they are filled in."""

from __future__ import annotations

import subprocess
import sys

import pytest
from datalchemy.core import plug
from datalchemy.core.errors import RecipeError
from datalchemy.core.part import Generator
from datalchemy.prompts import LANGUAGES, Wordings, names, source
from datalchemy.prompts._guard import compiled, variables


def test_cot_solve_is_the_wording_that_the_embedded_model_was_trained_on():
    from datalchemy.ember.scenes import COT_SUFFIX

    asked = Wordings().render("cot.solve", problem="What is {{ 5 }} + 3?\n")
    assert asked.text == "What is {{ 5 }} + 3?\n\n\nWork it out step by step, then give the final answer inside \\boxed{}."
    assert Wordings().render("cot.solve", problem="p").text == f"p\n\n{COT_SUFFIX}"
    assert asked.name == "cot.solve"


@pytest.mark.parametrize("name", names())
def test_every_wording_ships_in_every_language_with_the_same_variables(name):
    texts = {language: source(name, language) for language in LANGUAGES}
    assert len(set(texts.values())) == len(LANGUAGES)
    assert len({variables(text) for text in texts.values()}) == 1
    values = dict.fromkeys(variables(texts["en"]), "x")
    for language in LANGUAGES:
        filled = Wordings(language).render(name, **values).text
        assert filled == filled.strip()


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_ships_would_pass_the_guard(name, language):
    text = source(name, language)
    values = dict.fromkeys(variables(text), "x")
    assert compiled(name, text, variables(text))(**values) == Wordings(language).render(name, **values).text


def test_chinese_is_chinese():
    assert "推理" in Wordings("zh").render("cot.solve", problem="p").text


def test_wordings_of_parts_exist():
    used = {name for part in plug.names("generators") for name in plug.find("generators", (Generator,), part).prompts}
    assert used <= set(names())


def test_an_unknown_name_offers_the_nearest():
    for attempt in (lambda: source("cot.solv"), lambda: Wordings().render("cot.solv"), lambda: Wordings(overrides={"cot.solv": "x"})):
        with pytest.raises(RecipeError, match=r"did you mean 'cot.solve'"):
            attempt()


def test_an_unknown_language_names_the_known_ones():
    with pytest.raises(RecipeError, match="en, zh"):
        Wordings("fr")


def test_a_missing_value_is_an_error_not_an_empty_prompt():
    with pytest.raises(RecipeError, match="problem"):
        Wordings().render("cot.solve")
    with pytest.raises(RecipeError, match="problem"):
        Wordings(overrides={"cot.solve": "{{ problem }}"}).render("cot.solve")


def test_hashes_follow_the_text_and_match_what_is_rendered():
    english, chinese = Wordings().hashes(["cot.solve"]), Wordings("zh").hashes(["cot.solve"])
    replaced = Wordings(overrides={"cot.solve": "Solve: {{ problem }}"})
    assert len({english["cot.solve"], chinese["cot.solve"], replaced.hashes(["cot.solve"])["cot.solve"]}) == 3
    for wordings in (Wordings(), replaced):
        assert wordings.render("cot.solve", problem="p").template == wordings.hashes(["cot.solve"])["cot.solve"]


def test_an_override_replaces_the_wording():
    filled = Wordings(overrides={"cot.solve": "Solve: {{ problem|trim }}\n"}).render("cot.solve", problem=" p ")
    assert (filled.text, filled.name) == ("Solve: p", "cot.solve")


def test_jinja_is_imported_when_it_is_first_needed():
    code = "import sys; from datalchemy.prompts import Wordings; w = Wordings(); w.hashes(['cot.solve']); assert 'jinja2' not in sys.modules; w.render('cot.solve', problem='p'); assert 'jinja2' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
