"""Plays a plan (a JSON list of steps) with any client that has the methods of `py1.py`, one JSON line a step."""

import argparse
import json
import os
import sys

import anyio

# One step may wait for a slow child's start; the Rust side bounds the whole run.
STEP_SECONDS_MAX = 60
LIST_PAUSE_SECONDS = 0.1

LISTS = ("tools", "resources", "templates", "prompts")


def options():
    """What the command line asks, with the plan read from its file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--transport", choices=["http", "sse", "websocket"], default="http")
    parser.add_argument("--socket", help="the Unix socket on which the URL is served")
    parser.add_argument("--command")
    parser.add_argument("--arg", action="append", default=[])
    parser.add_argument("--era", choices=["legacy", "modern"], default="legacy")
    parser.add_argument("--plan", required=True)
    values = parser.parse_args()
    if (values.url is None) == (values.command is None):
        parser.error("exactly one of --url and --command is needed")
    with open(values.plan, encoding="utf-8") as file:
        values.plan = json.load(file)
    return values


def sampled(messages):
    """The text a client answers to `sampling/createMessage`; the same in every language."""
    content = messages[-1].content
    block = content[0] if isinstance(content, list) else content
    return f"sampled: {block.text}"


def elicited(answers, params):
    """Action and content that a client answers to `elicitation/create`; the same in every language."""
    if not answers.get("says"):
        return "accept", answers["elicit"]
    if params.mode == "url":
        return ("decline" if params.url.endswith("/no") else "accept"), None
    return "accept", {"said": f"said: {params.message}"}


def data(model):
    """A typed result as the JSON it came from, as far as the SDK kept it."""
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def failure(error):
    """An exception as data; the SDK's own errors carry `error.code` and `error.message`."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    said = getattr(error, "error", None)
    code = getattr(said, "code", None)
    message = getattr(said, "message", None) or str(error)
    return {"error": {"code": code, "name": type(error).__name__, "message": message, "data": getattr(said, "data", None)}}


async def cancel(client, step):
    """Cancels after the first progress, so that the call is certainly under way."""
    count = 0
    result = None
    first = anyio.Event()
    ended = "the call returned"

    async def on_progress(*_):
        nonlocal count
        count += 1
        first.set()

    async def call():
        nonlocal result, ended
        try:
            result = data(await client.call(step, on_progress))
        except anyio.get_cancelled_exc_class():
            ended = "cancelled"
            raise
        except Exception as error:
            ended = failure(error)["error"]
        first.set()

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await first.wait()
        await client.abandon(group.cancel_scope)
    outcome = {"progress": count, "surfaced": ended}
    return outcome if result is None else {**outcome, "result": result}


async def progress(client, step):
    """A call whose reports are collected."""
    seen = []

    async def on_progress(value, total=None, message=None):
        seen.append([value, total])

    result = await client.call(step, on_progress)
    return {"progress": seen, "result": data(result)}


async def watch(client, step):
    """The trigger is a tool that starts updates on its first call and ends them on the second."""
    async with client.watch(step["uri"]) as updated:
        result = data(await client.call(step["trigger"], None))
        if result.get("isError"):
            return {"result": result}
        uri = await updated()
        await client.call(step["trigger"], None)
    return {"updated": uri, "result": result}


async def listed(client, step):
    """A gateway may list its mounts one by one as they come up: `until` names what must be there."""
    # A little before the step's own limit, so that this says what was awaited.
    end = anyio.current_time() + STEP_SECONDS_MAX - 1
    while True:
        items = [data(item) for item in await client.list(step["do"])]
        starts = step.get("until", [])
        awaited = [start for start in starts if not any(item["name"].startswith(start) for item in items)]
        if not awaited:
            return {"items": items}
        if anyio.current_time() > end:
            raise TimeoutError(f"not listed within {STEP_SECONDS_MAX} s: {awaited}")
        await anyio.sleep(LIST_PAUSE_SECONDS)


async def play(client, step):
    """One step's outcome."""
    do = step["do"]
    if do in LISTS:
        return await listed(client, step)
    if do == "call":
        return {"result": data(await client.call(step, None))}
    if do == "read":
        return {"result": data(await client.read(step["uri"]))}
    if do == "prompt":
        return {"result": data(await client.prompt(step["name"], step["arguments"]))}
    if do == "complete":
        context = step.get("context", {}).get("arguments")
        return {"result": data(await client.complete(step["ref"], step["argument"], context))}
    if do == "progress":
        return await progress(client, step)
    if do == "cancel":
        return await cancel(client, step)
    if do == "watch":
        return await watch(client, step)
    raise ValueError(f"no such step: {do}")


def say(line):
    """One line of the report, at once."""
    print(json.dumps(line, ensure_ascii=False), flush=True)


async def bounded(make):
    """The outcome of one step, or why there is none."""
    try:
        with anyio.fail_after(STEP_SECONDS_MAX):
            return await make()
    except Exception as error:
        return failure(error)


async def session(connect, plan):
    """Connects, plays every step, closes; says whether closing went well."""
    played = False
    try:
        async with connect() as client:
            say({"step": "connect", **await bounded(client.about)})
            for step in plan["steps"]:
                say({"step": step["step"], **await bounded(lambda: play(client, step))})
            played = True
    except Exception as error:
        if not played:
            raise
        # An SDK that stumbles over a server's last words when it hangs up has still played its plan.
        say({"step": "close", **failure(error)})
    else:
        say({"step": "close"})


def run(connect, plan):
    """Runs the session to its end; the exit code says whether the plan was played."""
    try:
        anyio.run(session, connect, plan)
    except Exception as error:
        say({"step": "connection", **failure(error)})
        sys.exit(1)


def environment():
    """The whole environment for a spawned server: the SDKs pass only a part by themselves."""
    return dict(os.environ)
