"""The Python SDK of the first generation (legacy era only)."""

from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import httpx
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from mcp.client.websocket import websocket_client
from pydantic import AnyUrl

from scenario import elicited, environment, options, run, sampled

asked = options()
if asked.era != "legacy":
    raise SystemExit("this SDK speaks the legacy era only")
# A client can be asked only if its plan says what it answers.
answers = asked.plan.get("answers")


async def on_roots(_context):
    return types.ListRootsResult(roots=[types.Root(**root) for root in answers["roots"]])


async def on_elicit(_context, params):
    action, content = elicited(answers, params)
    return types.ElicitResult(action=action, content=content)


async def on_sample(_context, params):
    text = types.TextContent(type="text", text=sampled(params.messages))
    return types.CreateMessageResult(role="assistant", content=text, model="canned", stopReason="endTurn")


def on_socket(headers=None, timeout=None, auth=None):
    """An HTTP client whose connections all go to one Unix socket."""
    return httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(uds=asked.socket), headers=headers, timeout=timeout, auth=auth
    )


def transport():
    """What the command line asks for."""
    if not asked.url:
        return stdio_client(StdioServerParameters(command=asked.command, args=asked.arg, env=environment()))
    if asked.transport == "websocket":
        return websocket_client(asked.url)
    way = {"http": streamablehttp_client, "sse": sse_client}[asked.transport]
    return way(asked.url, **({"httpx_client_factory": on_socket} if asked.socket else {}))


class Client:
    """The steps in this SDK's words."""

    def __init__(self, session, initialized, updates):
        self.session, self.initialized, self.updates = session, initialized, updates

    async def about(self):
        said = self.initialized
        capabilities = sorted(said.capabilities.model_dump(exclude_none=True))
        return {"protocol": said.protocolVersion, "server": said.serverInfo.name, "capabilities": capabilities}

    async def list(self, kind):
        name = "resource_templates" if kind == "templates" else kind
        field = "resourceTemplates" if kind == "templates" else kind
        items, cursor = [], None
        while True:
            page = await getattr(self.session, f"list_{name}")(params=types.PaginatedRequestParams(cursor=cursor))
            items += getattr(page, field)
            cursor = page.nextCursor
            if cursor is None:
                return items

    async def call(self, step, on_progress):
        return await self.session.call_tool(step["name"], step["arguments"], progress_callback=on_progress)

    async def abandon(self, scope):
        # This generation only stops waiting: telling the server is left to its user. One call is in flight.
        params = types.CancelledNotificationParams(requestId=self.session._request_id - 1, reason="seen enough")
        note = types.CancelledNotification(method="notifications/cancelled", params=params)
        await self.session.send_notification(types.ClientNotification(note))
        scope.cancel()

    async def read(self, uri):
        return await self.session.read_resource(AnyUrl(uri))

    async def prompt(self, name, arguments):
        return await self.session.get_prompt(name, arguments)

    async def complete(self, ref, argument, context):
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return await self.session.complete(kind(**ref), argument, context)

    @asynccontextmanager
    async def watch(self, uri):
        await self.session.subscribe_resource(AnyUrl(uri))

        async def updated():
            return str(await self.updates.receive())

        yield updated
        await self.session.unsubscribe_resource(AnyUrl(uri))


@asynccontextmanager
async def connect():
    send, receive = anyio.create_memory_object_stream(64)

    async def on_message(message):
        note = getattr(message, "root", None)
        if isinstance(note, types.ResourceUpdatedNotification):
            send.send_nowait(note.params.uri)

    async with AsyncExitStack() as stack:
        streams = await stack.enter_async_context(transport())
        asking = {
            "sampling_callback": on_sample,
            "elicitation_callback": on_elicit,
            "list_roots_callback": on_roots,
        }
        session = ClientSession(streams[0], streams[1], message_handler=on_message, **(asking if answers else {}))
        await stack.enter_async_context(session)
        yield Client(session, await session.initialize(), receive)


run(connect, asked.plan)
