"""FastMCP's client, in one of its two eras."""

import warnings
from contextlib import asynccontextmanager

import anyio
import mcp_types as types
from fastmcp import Client as FastClient
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import SSETransport, StdioTransport, StreamableHttpTransport
from mcp.client.subscriptions import listen
from mcp.shared.exceptions import MCPDeprecationWarning

from scenario import elicited, environment, options, run, sampled

# Roots, sampling and subscriptions of the legacy era are asked for on purpose.
warnings.simplefilter("ignore", MCPDeprecationWarning)
asked = options()
# A client can be asked only if its plan says what it answers.
answers = asked.plan.get("answers")


async def on_elicit(_message, _kind, params, _context):
    action, content = elicited(answers, params)
    return ElicitResult(action=action, content=content)


async def on_sample(messages, _params, _context):
    text = types.TextContent(type="text", text=sampled(messages))
    return types.CreateMessageResult(role="assistant", content=text, model="canned", stop_reason="endTurn")


def asking():
    """What makes the client one that can be asked."""
    roots = [types.Root(**root) for root in answers["roots"]]
    return {"roots": roots, "sampling_handler": on_sample, "elicitation_handler": on_elicit}


class Client:
    """The steps in FastMCP's words."""

    def __init__(self, fast, updates):
        self.fast, self.updates = fast, updates

    async def about(self):
        server = self.fast.server_info.name if self.fast.server_info else None
        capabilities = sorted(self.fast.server_capabilities.model_dump(exclude_none=True))
        return {"protocol": self.fast.protocol_version, "server": server, "capabilities": capabilities}

    async def list(self, kind):
        name = "resource_templates" if kind == "templates" else kind
        return await getattr(self.fast, f"list_{name}")()

    async def call(self, step, on_progress):
        return await self.fast.call_tool_mcp(step["name"], step["arguments"], progress_handler=on_progress)

    async def abandon(self, scope):
        # The SDK below tells the server by itself when the waiting task is cancelled.
        scope.cancel()

    async def read(self, uri):
        return await self.fast.read_resource_mcp(uri)

    async def prompt(self, name, arguments):
        return await self.fast.get_prompt_mcp(name, arguments)

    async def complete(self, ref, argument, context):
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return await self.fast.complete_mcp(kind(**ref), argument, context)

    @asynccontextmanager
    async def watch(self, uri):
        if asked.era == "modern":
            async with listen(self.fast.session, resource_subscriptions=[uri]) as events:

                async def heard():
                    return (await anext(events)).uri

                yield heard
            return
        await self.fast.session.subscribe_resource(uri)
        yield self.updates.receive
        await self.fast.session.unsubscribe_resource(uri)


@asynccontextmanager
async def connect():
    send, receive = anyio.create_memory_object_stream(64)

    async def on_message(message):
        if isinstance(message, types.ResourceUpdatedNotification):
            send.send_nowait(message.params.uri)

    if asked.url:
        transport = {"http": StreamableHttpTransport, "sse": SSETransport}[asked.transport](asked.url)
    else:
        transport = StdioTransport(asked.command, asked.arg, env=environment(), keep_alive=False)
    fast = FastClient(
        transport,
        mode="legacy" if asked.era == "legacy" else "auto",
        message_handler=on_message,
        **(asking() if answers else {}),
    )
    async with fast:
        # `auto` asks `server/discover` first, as no pinned mode does; a fall back would test the wrong era.
        if asked.era == "modern" and fast.protocol_version != "2026-07-28":
            raise RuntimeError(f"asked for the modern era, agreed on {fast.protocol_version}")
        yield Client(fast, receive)


run(connect, asked.plan)
