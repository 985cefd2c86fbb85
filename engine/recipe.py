"""A recipe: the whole run as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator

from ..core.backend import FinishReason
from ..core.beside import base_of
from ..core.endpoint import Endpoint
from ..core.errors import RecipeError, nearest
from ..core.frozen import Frozen
from ..core.part import Edit, Filter, Generator, Part
from ..core.plug import ROOT, build
from ..formats.seeds import SeedSource
from .budget import Budget
from .measuring import Measuring
from .policy import Policy
from .reading import Document, explain, located, read, set_path
from .shares import Shares


def _part(folder: str, *kinds: type[Part]) -> Any:
    def make(raw: Any, info: ValidationInfo) -> Any:
        try:
            return build(folder, kinds, _resolved(raw, info) if folder == "generators" else raw, info.context)
        except RecipeError as error:
            raise ValueError(str(error)) from error  # so that pydantic gives it its place, and tells it with all others

    return BeforeValidator(make)


def _resolved(raw: Any, info: ValidationInfo) -> Any:
    """`system: {file: ...}` or `{pool: ...}` becomes the text, or one text a line."""
    if not isinstance(raw, dict) or not isinstance(raw.get("system"), dict):
        return raw
    source = raw["system"]
    if len(source) != 1 or not set(source) <= {"file", "pool"}:
        raise RecipeError("`system` is a text, a list of texts, {file: PATH} or {pool: PATH} (one text a line)")
    ((kind, name),) = source.items()
    text = text_of(base_of(info) / str(name), "system")
    return {**raw, "system": text if kind == "file" else [line for line in text.splitlines() if line.strip()]}


def text_of(path: Path, what: str) -> str:
    """What a file of a recipe holds. Raises RecipeError, naming `what` needs it."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{what}: the file {path} cannot be read ({error})") from error


AnyEndpoint = Annotated[SerializeAsAny[Endpoint], _part("backends", Endpoint)]
AnyGenerator = Annotated[SerializeAsAny[Generator], _part("generators", Generator)]
AnyFilter = Annotated[SerializeAsAny[Filter | Edit], _part("eval", Filter, Edit)]


ENCODER = "encoder"
"""The model that filters embed with unless they name another one."""


def with_encoder(models: Mapping[str, Endpoint], parts: Iterable[Part]) -> Mapping[str, Endpoint]:
    """The models, with the static encoder that ships where a part asks for `encoder` and the recipe describes none."""
    if ENCODER in models or not any(ENCODER in part.needs() for part in parts):
        return models
    return {**models, ENCODER: build("backends", (Endpoint,), "static")}


class Seeds(SeedSource):
    """Where seeds come from, and the filters that judge them before anything is paid for them."""

    filters: tuple[AnyFilter, ...] = ()


class Branch(Frozen):
    """One strategy of a stage, with its share of the seeds."""

    generator: AnyGenerator
    share: float = Field(default=1.0, gt=0)


class Stage(Frozen):
    """One step of generation; its accepted records seed the next one."""

    branches: tuple[Branch, ...]
    filters: tuple[AnyFilter, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_recipe(cls, raw: Any) -> Any:
        """A strategy's mapping with `filters:` beside its settings, or `mix:` with several of them and their `share`."""
        if isinstance(raw, str):
            raw = {"use": raw}
        if not isinstance(raw, dict) or "branches" in raw:
            return raw
        rest = dict(raw)
        filters = rest.pop("filters", ())
        if "mix" not in rest:
            return {"branches": [{"generator": rest}], "filters": filters}
        mix = rest.pop("mix")
        if rest or not isinstance(mix, list) or not all(isinstance(one, dict) for one in mix):
            raise RecipeError("a stage with `mix` holds a list of strategies, each with its `share`, and `filters`; nothing else")
        branches = [{"generator": {k: v for k, v in one.items() if k != "share"}, "share": one.get("share", 1.0)} for one in mix]
        return {"branches": branches, "filters": filters}

    @property
    def generators(self) -> list[Generator]:
        return [branch.generator for branch in self.branches]

    @property
    def name(self) -> str:
        return "+".join(generator.part_name() for generator in self.generators)


class Output(Frozen):
    """Where the dataset goes and how it looks."""

    dir: Path | None = None
    """OUT; absent: `out/` and the recipe's name."""
    formats: tuple[Literal["parquet", "jsonl"], ...] = ("parquet",)
    reasoning: Literal["inline", "field", "drop"] = "inline"
    """Thinking inside the content as `<think>`, as a field of the message, or left out."""
    order: Literal["seed", "arrival"] = "seed"
    """`seed`: the first N in seed order, the same whatever the concurrency; `arrival`: the first N to be accepted."""


class Purpose(Frozen):
    """What the data is made for; stated in the report."""

    stage: str = ""
    """cold-start, sft, preference, rl, anneal ..."""
    evaluate: tuple[str, ...] = ()


class Threshold(Frozen):
    """Bounds on one measure of the finished set."""

    min: float | None = None
    max: float | None = None


class Checks(Frozen):
    """A look at the first answers: a run whose settings are off is paused before it has cost much."""

    sample: int = Field(default=40, ge=0)
    """How many judged candidates are looked at; 0 switches the checks off."""
    cut: float = 0.5
    """Share of answers cut at max_tokens above which the run pauses."""
    no_reasoning: float = 0.8
    """Share refused for missing thinking above which the run pauses."""
    no_gold: float = 0.8
    """Share without a reference answer for the verifier above which the run pauses."""


class Reuse(Frozen):
    """Which stored responses are good enough."""

    exclude: tuple[FinishReason, ...] = ()
    """Finish reasons whose answers, when another run paid for them, are asked again (`length`: cut ones)."""


class Recipe(Frozen):
    """A run, whole. `Recipe.load` reads one; `datalchemy parts` lists what may stand in it."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    seed: int = 0
    """All randomness of the run derives from it."""
    task: str = ""
    """In words, what the data is for."""
    purpose: Purpose = Purpose()
    """What it is made for, for the report: `{stage: cold-start, evaluate: [gsm8k]}`."""
    policy: Policy | None = None
    """What it may be made of and what happens to personal data: checked before the run, stated with the set."""
    language: str = "en"
    """Of the wordings."""
    models: Mapping[str, AnyEndpoint] = {}
    """Models by names of your own, each with `use:`."""
    seeds: Seeds | None = None
    """What strategies start from; only strategies that start from nothing (magpie) do without."""
    generate: tuple[Stage, ...] = Field(min_length=1)
    """The stages, in order; the accepted records of one seed the next."""
    filters: tuple[AnyFilter, ...] = ()
    """Judge the records of the last stage."""
    target: int | None = Field(default=None, ge=1)
    """Accepted records of the last stage; absent: everything that the seeds give. With `{total: 1000, by: topic, shares:
    {math: 0.7, code: 0.3}}` exactly so many of each kind, by a label of the records."""
    shares: Shares | None = None
    """Set by a `target` with shares."""
    budget: Budget = Budget()
    """Ceilings of tokens, dollars, hours, candidates."""
    measures: Measuring = Measuring()
    """What is measured on the finished set, beside what every report has."""
    accept: Mapping[str, Threshold] = {}
    """Thresholds on the finished set, by measure."""
    output: Output = Output()
    """Where OUT is, and how the dataset looks."""
    prompts: Mapping[str, str] = {}
    """Wordings replaced: name -> file (.j2) or text."""
    checks: Checks = Checks()
    """A look at the first answers, which pauses a run whose settings are off."""
    reuse: Reuse = Reuse()
    """Which stored responses are good enough."""
    base: Path = Field(default=Path(), exclude=True)
    """Folder that relative paths of the recipe start from."""

    @model_validator(mode="before")
    @classmethod
    def _target_with_shares(cls, raw: Any) -> Any:
        """`target: {total, by, shares}` as `target` and `shares`."""
        if not isinstance(raw, dict) or not isinstance(raw.get("target"), dict):
            return raw
        told = dict(raw["target"])
        if set(told) != {"total", "by", "shares"}:
            raise RecipeError("a target with shares is {total: 1000, by: topic, shares: {math: 0.7, code: 0.3}}", "target")
        return {**raw, "target": told.pop("total"), "shares": told}

    @field_validator("generate", mode="before")
    @classmethod
    def _one_stage(cls, raw: Any) -> Any:
        return [raw] if isinstance(raw, (dict, str)) else raw

    @field_validator("prompts", mode="before")
    @classmethod
    def _prompt_files(cls, raw: Any, info: ValidationInfo) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {name: text_of(base_of(info) / text, f"prompts.{name}") if str(text).endswith(".j2") else text for name, text in raw.items()}

    @model_validator(mode="after")
    def _holds_together(self) -> Recipe:
        from .checking import check

        object.__setattr__(self, "models", with_encoder(self.models, self.parts()))  # frozen only for those who get to see it
        check(self)
        return self

    @property
    def out(self) -> Path:
        return self.output.dir or Path("out") / self.name

    def parts(self) -> Iterator[Generator | Filter | Edit]:
        """Every strategy, filter and edit."""
        yield from (self.seeds.filters if self.seeds else ())
        for stage in self.generate:
            yield from stage.generators
            yield from stage.filters
        yield from self.filters

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        sets: Sequence[tuple[str, str]] = (),
        model: str | Sequence[str] | None = None,
        target: int | None = None,
        out: str | Path | None = None,
    ) -> Recipe:
        """Read a recipe file, or a shipped recipe by name; `sets` are (path, value) pairs as of `--set`.

        Raises RecipeError that names file, line and field, what was expected and the nearest valid name.
        """
        path = cls.find(name)
        document = read(text_of(path, "recipe"), str(name))
        return cls.from_document(document, base=path.parent, sets=sets, model=model, target=target, out=out)

    @classmethod
    def from_document(
        cls,
        document: Document,
        *,
        base: Path,
        sets: Sequence[tuple[str, str]] = (),
        model: str | Sequence[str] | None = None,
        target: int | None = None,
        out: str | Path | None = None,
    ) -> Recipe:
        """A recipe from guarded YAML, with overrides; relative paths start from `base`."""
        from .modelnames import replace_models

        data = document.data
        for path, value in sets:
            set_path(data, path, value)
        for one in [model] if isinstance(model, str) else model or ():
            replace_models(data, one)
        if target is not None:
            data["target"] = {**data["target"], "total": target} if isinstance(data.get("target"), dict) else target
        if out is not None and isinstance(data.get("output"), (dict, NoneType)):
            data["output"] = {**(data.get("output") or {}), "dir": str(out)}
        return cls.build({**data, "base": str(base)}, base=base, document=document)

    @classmethod
    def build(cls, data: Mapping[str, Any], *, base: Path = Path(), document: Document | None = None) -> Recipe:
        """A recipe from a mapping. Raises RecipeError."""
        try:
            return cls.model_validate(dict(data), context={"base": base})
        except ValidationError as error:
            raise explain(error, document) from error
        except RecipeError as error:
            raise located(error, document, ()) if document is not None else error from error

    @staticmethod
    def shipped() -> list[str]:
        """Names of the ready recipes."""
        return sorted(entry.name.removesuffix(".yaml") for entry in files(f"{ROOT}.recipes").iterdir() if entry.name.endswith(".yaml"))

    @staticmethod
    def find(name: str | Path) -> Path:
        """The file of a recipe, given as a path or as the name of a shipped one. Raises RecipeError."""
        path = Path(name)
        if path.is_file():
            return path
        shipped = Recipe.shipped()
        if str(name) in shipped:
            return Path(str(files(f"{ROOT}.recipes").joinpath(f"{name}.yaml")))
        raise RecipeError(f"no recipe {str(name)!r}: neither a file nor a shipped recipe; {nearest(str(name), shipped)}")
