"""The report of a run: one self-contained page, and the data set's card. Everything in them is untrusted text.

The page needs no network and runs one small script of its own; its content security policy admits that script and the
style by their hashes and nothing else, so that text which slipped through the escaping could still do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from . import charts
from .measures import Measures

if TYPE_CHECKING:
    from jinja2 import Template

Told = Mapping[str, Any]
"""The publishing job as JSON values: name, status, target, totals, recipe ..."""

STATUS = {
    "complete": "The target was reached.",
    "budget": "The budget ended before the target was reached. What is here is whole and usable.",
    "seeds_exhausted": "All seeds were used before the target was reached. What is here is whole and usable.",
    "interrupted": "The run was interrupted; the same command goes on with it.",
    "paused": "The run paused itself, because early answers showed that a setting is off.",
    "backend": "The run stopped, because a model could not be used any more; the same command goes on with it.",
}
TOP_REASONS = 8
PRIVACY = {
    "none": "not looked for",
    "label": "looked for and labelled",
    "refuse": "records that hold any were refused",
    "redact": "replaced by reserved values or tags",
    "pseudonym": "replaced by keyed pseudonyms",
}
"""What a policy's `privacy` says, in words."""


class Stage(NamedTuple):
    """One bar of the funnel, with the reasons for what was lost in it."""

    name: str
    seeds: bool
    """Whether these are seeds: of those only the refused ones are settled as such, so that a share would mean nothing."""
    counts: Mapping[str, int]
    settled: int
    bars: list[charts.Segment]
    reasons: list[tuple[str, str, str, int]]
    """(refused | failed, who, reason, count)."""
    more: int
    """Reasons that are not listed."""


def render(told: Told, measures: Measures) -> str:
    """The page, as HTML."""
    from markupsafe import Markup

    style, script = _text("report.css"), _text("report.js")
    return template().render(
        told=told,
        m=measures,
        style=Markup(style),  # noqa: S704 (ours)
        script=Markup(script),  # noqa: S704 (ours)
        csp=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'",
        status=ended(told),
        tiles=tiles(told, measures),
        stages=stages(told, measures),
        equation=equation(told, measures),
        filters=filters(measures),
        shapes=charts.shapes(measures),
        models=sorted(told["totals"].items()),
        failures=[(by, word, n) for (_, status, by, word), n in measures.reasons.most_common() if status == "failed"],
        accepted=measures.accepted_samples.samples,
        refused=measures.few_refused(),
        stage_name=lambda stage: stage_name(told, stage),
        policy=policy_rows(told),
        recipe=json.dumps(told["recipe"], indent=2, ensure_ascii=False),
        fingerprint=told["fingerprint"].items() if isinstance(told["fingerprint"], dict) else [("", told["fingerprint"])],
    )


@cache
def template() -> Template:
    """The page's template (compiling it takes 0.1 s: done ahead where there is time)."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "num": charts.number,
        "short": charts.short,
        "pct": charts.percent,
        "usd": charts.dollars,
        "fixed": charts.fixed,
    }
    return environment.from_string(_text("report.html"))


def card(told: Told, measures: Measures) -> str:
    """README.md of the data set: what loads it, and what it is."""
    path = "data/train-*.parquet" if "parquet" in told["formats"] else "train.jsonl"
    counts = {status: measures.total(status) for status in ("accepted", "refused", "failed")}
    lines = [
        "---",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {path}",
        f"  description: content {told.get('content', '')}",
        "tags:",
        "- synthetic",
        "---",
        f"# {_line(told['name']) or 'Data set'}",
        "",
        *([_line(told["task"]), ""] if told["task"] else []),
        f"{measures.published:,} records, made and verified with datalchemy. {_line(ended(told))}",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'dataset = load_dataset("path/to/this/folder", split="train")',
        "```",
        "",
        f"- `{path}`: the data set, {measures.published:,} records",
        *([f"- `surplus/`: {measures.surplus:,} more that were accepted beyond the target"] if measures.surplus else []),
        *([f"- `refused/`: {counts['refused']:,} candidates that filters refused, with reasons and scores"] if counts["refused"] else []),
        *([f"- `failed/`: {counts['failed']:,} candidates that failed, with errors"] if counts["failed"] else []),
        "- `report.html`: what was thrown away and why, lengths, costs, samples",
        "- `manifest.json`: rows and sha256 of each file, the recipe, versions and seed that made them",
        "",
        *_policy_lines(told),
    ]
    return "\n".join(lines)


def policy_rows(told: Told) -> list[tuple[str, str]]:
    """(what, how it is) of the recipe's policy; empty where there is none."""
    policy = told.get("policy") or {}
    names = (
        ("purpose", "Purpose"), ("jurisdictions", "Jurisdictions"), ("allowed_licences", "Licences allowed"),
        ("privacy", "Personal data and secrets"), ("personal_data", "Personal data in the sources"),
    )  # fmt: skip
    said = ((what, policy.get(name)) for name, what in names)
    return [(what, PRIVACY.get(value, value) if isinstance(value, str) else ", ".join(value)) for what, value in said if value]


def _policy_lines(told: Told) -> list[str]:
    rows = policy_rows(told)
    return ["## Policy", "", *(f"- {what}: {_line(text)}" for what, text in rows), ""] if rows else []


def ended(told: Told) -> str:
    """How the run ended, in a sentence."""
    if told["status"] == "complete" and not told["target"]:
        return "Every seed was used."
    return STATUS.get(told["status"]) or str(told["message"])


def tiles(told: Told, measures: Measures) -> list[tuple[str, str, str]]:
    """(label, figure, remark) for the head of the page."""
    numbers = measures.thresholds(told["target"], told["totals"])
    tokens = charts.spent(told["totals"], "prompt_tokens", "completion_tokens")
    reused, calls = charts.spent(told["totals"], "reused"), charts.spent(told["totals"], "calls")
    rate = measures.published / told["seconds"] * 60 if told["seconds"] else 0
    of = f"of {told['target']:,} wanted" if told["target"] else "every one that the seeds gave"
    out = [("Accepted", charts.number(measures.published), of)]
    last = measures.by_stage()[measures.last_stage]
    if "acceptance_rate" in numbers:
        out.append(("Acceptance rate", charts.percent(numbers["acceptance_rate"]), f"of {sum(last.values()):,} candidates"))
    if "dollars_per_accepted" in numbers:
        total = charts.dollars(charts.spent(told["totals"], "dollars"))
        out.append(("Cost per accepted", charts.dollars(numbers["dollars_per_accepted"]), f"{total} in all"))
    if tokens:
        each = f"{charts.short(numbers['tokens_per_accepted'])} per accepted" if measures.published else "none accepted"
        out.append(("Tokens", charts.short(tokens), each))
    if told["seconds"]:
        out.append(("Time", charts.duration(told["seconds"]), f"{charts.short(rate)} a minute"))
    if calls or reused:
        out.append(("Answers reused", charts.short(reused), f"beside {charts.short(calls)} paid calls"))
    return out


def equation(told: Told, measures: Measures) -> list[tuple[str, int]]:
    """The account that always adds up: accepted + refused + failed + pending = started."""
    parts = [(status, measures.total(status)) for status in ("accepted", "refused", "failed")] + [("pending", told["pending"])]
    return [*parts, ("started", sum(n for _, n in parts))]


def stages(told: Told, measures: Measures) -> list[Stage]:
    counts = measures.by_stage()
    most = max(sum(c.values()) for c in counts.values())
    out = []
    for stage, count in counts.items():
        reasons = [(s, by, word, n) for (at, s, by, word), n in measures.reasons.most_common() if at == stage]
        split = dict(count)
        if stage == measures.last_stage:
            split = {"accepted": measures.published, "surplus": measures.surplus, "refused": count["refused"], "failed": count["failed"]}
        out.append(
            Stage(
                stage_name(told, stage),
                stage < 0,
                split,
                sum(count.values()),
                charts.segments(split, most),
                reasons[:TOP_REASONS],
                len(reasons) - TOP_REASONS,
            )
        )
    return out


def stage_name(told: Told, stage: int) -> str:
    if stage < 0:
        return "seeds"
    return told["stages"][stage] if stage < len(told["stages"]) else f"stage {stage + 1}"


def filters(measures: Measures) -> list[dict[str, Any]]:
    """Filter by filter, in the order of stages: how many it judged, kept, refused, abstained from."""
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    for (stage, by, outcome), n in measures.verdicts.items():
        row = rows.setdefault((stage, by), {"stage": stage, "by": by, "keep": 0, "refuse": 0, "abstain": 0})
        row[outcome] = n
    out = sorted(rows.values(), key=lambda row: (row["stage"], -row["keep"] - row["refuse"] - row["abstain"]))
    for row in out:
        gone = sum(n for (stage, _, by, _), n in measures.reasons.items() if (stage, by) == (row["stage"], row["by"]))
        row["passed"] = row["keep"] + row["abstain"] - max(0, gone - row["refuse"])
        row["judged"] = row["keep"] + row["refuse"] + row["abstain"]
        row["bars"] = charts.segments({"accepted": row["keep"], "abstain": row["abstain"], "refused": row["refuse"]}, row["judged"])
    return out


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _line(text: Any) -> str:
    return " ".join(str(text).split())
