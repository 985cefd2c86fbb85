"""`models`: what is at the other end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..modelreport import ModelReport


@click.command()
@click.argument("model", metavar="M")
@click.option("--probe/--no-probe", default=True, help="Ask it ten short questions, for its speed and its way of reasoning.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.pass_context
def models(ctx: click.Context, model: str, probe: bool, as_json: bool) -> None:
    """Look at a model: is it there, what can it do, its context, chat template, reasoning, speed.

    M is written as for --model: ember, gguf:FILE, vllm:MODEL, vllm-server:MODEL, openai:NAME,
    litellm:PROVIDER/NAME, http://HOST/v1#NAME.
    """
    import asyncio

    from ...core.endpoint import Endpoint
    from ...core.plug import build
    from ...engine.modelnames import settings
    from ..modelreport import report
    from ..terminal import clean, columns, money

    raw = settings(model)
    listing = raw["use"] == "http" and "name" not in raw
    endpoint = build("backends", (Endpoint,), {**raw, "name": "?"} if listing else raw)

    def cost(dollars: float) -> None:
        click.echo(f"asking ten short questions, for {money(dollars)} at most; --no-probe asks none", err=True)

    found = asyncio.run(report(endpoint, probe=probe and not listing, cost=cost))
    if listing and len(found.models) == 1:
        listing, endpoint = False, build("backends", (Endpoint,), {**raw, "name": found.models[0]})
        found = asyncio.run(report(endpoint, probe=probe, cost=cost))
    if as_json:
        click.echo(found.model_dump_json())
    else:
        click.echo(clean(columns(_rows(found))))
        if listing and found.models:
            click.echo(clean(f"next: --model {model}#{found.models[0]}"))
    ctx.exit(0 if found.reachable else 5)


def _rows(found: ModelReport) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("reachable", ("yes" if found.reachable else "no") + (f": {found.detail}" if found.detail else ""))]
    if found.server:
        rows.append(("server", found.server))
    if found.models:
        rows.append(("models", ", ".join(found.models)))
    rows.append(("context", f"{found.context:,} tokens" if found.context else "not told"))
    where = f" ({found.template_from})" if found.template_from else ""
    rows.append(("template", f"{found.template}, {found.template_characters:,} characters{where}" if found.template else "not told"))
    rows.append(("capabilities", ", ".join(found.capabilities)))
    if found.reasoning:
        rows.append(("reasoning", f"{found.reasoning} (by its {found.reasoning_by}{_beside(found)})"))
    if found.speed:
        speed = found.speed
        rows.append(("speed", f"{speed.alone:,.0f} tokens/s alone, {speed.together:,.0f} with {speed.calls} calls at once (a short probe)"))
        if speed.first_token_s is not None:
            rows.append(("first token", f"after {speed.first_token_s:.3f} s (a short probe)"))
    if found.price:
        rows.append(("price", f"${found.price.input:g} in, ${found.price.output:g} out, a million tokens"))
    if found.probe_failed:
        rows.append(("probe", f"failed: {found.probe_failed}"))
    return rows


def _beside(found: ModelReport) -> str:
    """Whether the probe bears out what was told."""
    if found.reasoning_by != "probe" or found.reasoning_told is None:
        return ""
    return ", as told" if found.reasoning == found.reasoning_told else f"; told: {found.reasoning_told}"
