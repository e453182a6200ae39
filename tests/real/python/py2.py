"""The Python SDK of the second generation, in one of its two eras."""

import warnings
from contextlib import asynccontextmanager

import anyio
import mcp_types as types
from mcp import Client as SdkClient
from mcp import StdioServerParameters
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPDeprecationWarning

from scenario import elicited, environment, options, run, sampled

# Roots, sampling and subscriptions of the legacy era are asked for on purpose.
warnings.simplefilter("ignore", MCPDeprecationWarning)
asked = options()
# A client can be asked only if its plan says what it answers.
answers = asked.plan.get("answers")


async def on_roots(_context):
    return types.ListRootsResult(roots=[types.Root(**root) for root in answers["roots"]])


async def on_elicit(_context, params):
    action, content = elicited(answers, params)
    return types.ElicitResult(action=action, content=content)


async def on_sample(_context, params):
    text = types.TextContent(type="text", text=sampled(params.messages))
    return types.CreateMessageResult(role="assistant", content=text, model="canned", stop_reason="endTurn")


class Client:
    """The steps in this SDK's words."""

    def __init__(self, sdk, updates):
        self.sdk, self.updates = sdk, updates

    async def about(self):
        server = self.sdk.server_info.name if self.sdk.server_info else None
        capabilities = sorted(self.sdk.server_capabilities.model_dump(exclude_none=True))
        return {"protocol": self.sdk.protocol_version, "server": server, "capabilities": capabilities}

    async def list(self, kind):
        name = "resource_templates" if kind == "templates" else kind
        items, cursor = [], None
        while True:
            page = await getattr(self.sdk, f"list_{name}")(cursor=cursor, cache_mode="bypass")
            items += getattr(page, name)
            cursor = page.next_cursor
            if cursor is None:
                return items

    async def call(self, step, on_progress):
        return await self.sdk.call_tool(step["name"], step["arguments"], progress_callback=on_progress)

    async def abandon(self, scope):
        # This generation tells the server by itself when the waiting task is cancelled.
        scope.cancel()

    async def read(self, uri):
        return await self.sdk.read_resource(uri, cache_mode="bypass")

    async def prompt(self, name, arguments):
        return await self.sdk.get_prompt(name, arguments)

    async def complete(self, ref, argument, context):
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return await self.sdk.complete(kind(**ref), argument, context)

    @asynccontextmanager
    async def watch(self, uri):
        if asked.era == "modern":
            async with self.sdk.listen(resource_subscriptions=[uri]) as events:

                async def heard():
                    return (await anext(events)).uri

                yield heard
            return
        await self.sdk.subscribe_resource(uri)
        yield self.updates.receive
        await self.sdk.unsubscribe_resource(uri)


@asynccontextmanager
async def connect():
    send, receive = anyio.create_memory_object_stream(64)

    async def on_message(message):
        if isinstance(message, types.ResourceUpdatedNotification):
            send.send_nowait(message.params.uri)

    asking = {
        "sampling_callback": on_sample,
        "elicitation_callback": on_elicit,
        "list_roots_callback": on_roots,
    }
    url = sse_client(asked.url) if asked.transport == "sse" else asked.url
    server = url or StdioServerParameters(command=asked.command, args=asked.arg, env=environment())
    sdk = SdkClient(
        server,
        mode="legacy" if asked.era == "legacy" else "auto",
        message_handler=on_message,
        **(asking if answers else {}),
    )
    async with sdk:
        # `auto` asks `server/discover` first, as no pinned mode does; a fall back would test the wrong era.
        if asked.era == "modern" and sdk.protocol_version != "2026-07-28":
            raise RuntimeError(f"asked for the modern era, agreed on {sdk.protocol_version}")
        yield Client(sdk, receive)


run(connect, asked.plan)
