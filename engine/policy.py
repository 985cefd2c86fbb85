"""The recipe's `policy:` block: what the data may be made of and what happens to personal data; checked, then stated with the set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import StringConstraints

from ..core.endpoint import Endpoint
from ..core.errors import RecipeError
from ..core.frozen import Frozen
from ..core.part import Edit, Filter, Part

if TYPE_CHECKING:
    from ..formats.seeds import SeedSource

Jurisdiction = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
WRITES = frozenset({"chat", "complete", "token_ids"})
"""What a model is asked for that puts its words into the data (or into a verdict on it)."""


class Policy(Frozen):
    """What the data is for and what holds for it. Stated in the manifest, the card and the report."""

    purpose: str = ""
    """In words, what the data may be used for."""
    jurisdictions: tuple[Jurisdiction, ...] = ()
    """Whose law it is made under: EU, or ISO 3166 codes (US, US-CA, JP)."""
    allowed_licences: tuple[str, ...] = ()
    """Licences (SPDX names) that seeds and models may have, as their `licence` states; absent: any."""
    privacy: Literal["none", "label", "refuse", "redact", "pseudonym"] = "none"
    """What happens to personal data and secrets; the recipe's last filters must do it (`privacy`, `redact`)."""
    personal_data: str = ""
    """In words, what personal data the sources may hold, and on what ground it is processed."""


def check_policy(policy: Policy, filters: Sequence[Part], models: Mapping[str, Endpoint], seeds: SeedSource | None) -> None:
    """Raises RecipeError where the recipe does not do what its policy says."""
    _privacy(policy, filters)
    allowed = {_norm(licence) for licence in policy.allowed_licences}
    for where, licence in _licences(models, seeds):
        if allowed and licence and _norm(licence) not in allowed:
            raise RecipeError(f"the licence {licence} is none that the policy allows: {', '.join(policy.allowed_licences)}", where)


def warnings(policy: Policy, filters: Sequence[Part], models: Mapping[str, Endpoint], seeds: SeedSource | None) -> list[str]:
    """What a person should know: the policy says something that the recipe cannot show."""
    said = []
    if policy.allowed_licences:
        said += [f"the licence is unknown: state {where}" for where, licence in _licences(models, seeds) if not licence]
    if policy.privacy != "none":
        said += [
            f"{part.part_name()} looks at less than it could: {name} is set"
            for part in _named(filters, "privacy", "redact")
            for name in _narrowed(part)
        ]
    elif policy.jurisdictions and not policy.personal_data:
        said.append(
            "the policy names jurisdictions, and says nothing of personal data: set policy.privacy, or say why in policy.personal_data"
        )
    return said


def writing(models: Mapping[str, Endpoint], parts: Iterable[Part]) -> dict[str, Endpoint]:
    """The models whose words come into the data: what embeds or scores writes nothing."""
    wanted = {name for part in parts for name, needs in part.needs().items() if needs & WRITES}
    return {name: endpoint for name, endpoint in models.items() if name in wanted}


def _privacy(policy: Policy, filters: Sequence[Part]) -> None:
    match policy.privacy:
        case "none":
            return
        case "label":
            done = any(isinstance(part, Filter) for part in _named(filters, "privacy"))
            wants = "the filter `privacy` (with `enforce: false`)"
        case "refuse":
            done = any(isinstance(part, Filter) and part.enforce for part in _named(filters, "privacy"))
            wants = "the filter `privacy`, enforced,"
        case "redact":
            done = any(isinstance(part, Edit) and getattr(part, "how", "") != "pseudonym" for part in _named(filters, "redact"))
            wants = "the edit `redact`"
        case "pseudonym":
            done = any(isinstance(part, Edit) and getattr(part, "how", "") == "pseudonym" for part in _named(filters, "redact"))
            wants = "the edit `redact` with `how: pseudonym` and a `key_env`"
    if not done:
        raise RecipeError(f"`privacy: {policy.privacy}` needs {wants} among the filters of the last stage", "policy.privacy")


def _named(filters: Sequence[Part], *names: str) -> Iterator[Part]:
    return (part for part in filters if part.part_name() in names)


def _narrowed(part: Part) -> Iterator[str]:
    """Settings that let something through."""
    for name in ("kinds", "places", "allow", "max"):
        if name in type(part).model_fields and getattr(part, name) != type(part).model_fields[name].default:
            yield name


def _licences(models: Mapping[str, Endpoint], seeds: SeedSource | None) -> Iterator[tuple[str, str]]:
    if seeds is not None:
        yield "seeds.licence", seeds.licence
    for name, endpoint in models.items():
        yield f"models.{name}.licence", endpoint.licence


def _norm(licence: str) -> str:
    return licence.strip().casefold()
