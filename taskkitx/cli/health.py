"""`taskkitx health`: the question a probe asks. It imports nearly nothing, so that it answers at once."""

from collections.abc import Mapping
from typing import Any

import click

from taskkitx.cli.output import print_json, printable
from taskkitx.supervisor.probe import ask


@click.command()
@click.option("--instance", metavar="NAME", help="Which supervisor, when several run here.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def health(ctx: click.Context, /, instance: str | None, as_json: bool) -> None:
    """Ask the supervisor on this machine how it is; 1 when it is not healthy or does not answer.

    Neither the store nor the application is touched.
    """
    try:
        answer = ask(instance)
    except LookupError as error:
        click.echo(f"taskkitx: {printable(str(error))}", err=True)
        ctx.exit(1)
    if as_json:
        print_json(answer)
    else:
        click.echo(_in_words(answer))
    ctx.exit(0 if answer.get("healthy") else 1)


def _in_words(answer: Mapping[str, Any]) -> str:
    state = answer.get("stopping") or ("healthy" if answer.get("healthy") else "not healthy")
    workers: list[Mapping[str, Any]] = answer.get("workers") or []
    lines = [f"supervisor {answer.get('pid')} ({answer.get('instance')}): {state}"]
    lines += [
        f"  {worker.get('role')} {worker.get('pid')}: {worker.get('state')}, "
        f"{len(worker.get('running') or [])} running, {worker.get('finished')} finished"
        for worker in workers
    ]
    return printable("\n".join(lines))
