"""`models`: what is at the other end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ...core.backend import Capability, Probe
    from ...core.endpoint import Endpoint


@click.command()
@click.argument("model", metavar="M")
@click.pass_context
def models(ctx: click.Context, model: str) -> None:
    """Probe a model: is it reachable, what can it do, how long is its context.

    M is written as for --model: ember, gguf:FILE, vllm:MODEL, vllm-server:MODEL, openai:NAME,
    litellm:PROVIDER/NAME, http://HOST/v1#NAME.
    """
    import asyncio

    from ...core.endpoint import Endpoint
    from ...core.plug import build
    from ...engine.modelnames import settings
    from ..terminal import clean, columns

    raw = settings(model)
    listing = raw["use"] == "http" and "name" not in raw
    endpoint = build("backends", (Endpoint,), {**raw, "name": "?"} if listing else raw)
    probe, capabilities = asyncio.run(_probe(endpoint))
    click.echo(clean(columns(_rows(probe, capabilities))))
    if listing and probe.models:
        click.echo(clean(f"next: --model {model}#{probe.models[0]}"))
    ctx.exit(0 if probe.reachable else 5)


async def _probe(endpoint: Endpoint) -> tuple[Probe, frozenset[Capability]]:
    async with endpoint.open() as backend:
        return await backend.probe(), backend.capabilities


def _rows(probe: Probe, capabilities: frozenset[Capability]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("reachable", ("yes" if probe.reachable else "no") + (f": {probe.detail}" if probe.detail else ""))]
    if probe.server:
        rows.append(("server", probe.server))
    if probe.models:
        rows.append(("models", ", ".join(probe.models)))
    rows.append(("context", f"{probe.context:,} tokens" if probe.context else "not told"))
    rows.append(("template", f"{len(probe.chat_template):,} characters" if probe.chat_template else "not told"))
    rows.append(("capabilities", ", ".join(sorted(capabilities))))
    return rows
