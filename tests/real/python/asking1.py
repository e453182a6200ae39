"""A server of the first generation of the Python SDK (legacy era only), whose tools ask the client.

`asking1.py stdio|http|sse|websocket`
"""

import socket
import sys

import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from mcp.server.websocket import websocket_server
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

server = FastMCP("asking-py1")


class Said(BaseModel):
    """What a form asks for."""

    said: str


@server.tool()
async def form(about: str, ctx: Context) -> str:
    answer = await ctx.elicit(f"form about {about}", Said)
    return f"accept: {answer.data.said}" if answer.action == "accept" else answer.action


@server.tool()
async def page(about: str, ctx: Context) -> str:
    answer = await ctx.elicit_url(f"page about {about}", f"https://example.com/{about}", f"id of {about}")
    return answer.action


@server.tool()
async def sample(about: str, ctx: Context) -> str:
    text = TextContent(type="text", text=f"sample about {about}")
    answer = await ctx.session.create_message(
        [SamplingMessage(role="user", content=text)], max_tokens=100, related_request_id=ctx.request_id
    )
    return f"{answer.model}: {answer.content.text}"


def serve(app):
    """Serves on a free port of the loopback interface, and says which."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


async def on_websocket(socket):
    """One session of the SDK's own server over its WebSocket transport."""
    async with websocket_server(socket.scope, socket.receive, socket.send) as (read, write):
        lowlevel = server._mcp_server
        await lowlevel.run(read, write, lowlevel.create_initialization_options())


if sys.argv[1:] == ["sse"]:
    serve(server.sse_app())
elif sys.argv[1:] == ["http"]:
    serve(server.streamable_http_app())
elif sys.argv[1:] == ["websocket"]:
    serve(Starlette(routes=[WebSocketRoute("/ws", on_websocket)]))
else:
    server.run("stdio")
