"""A server of the second generation of the Python SDK, in the era that its client begins with, whose tools ask.

A modern client is asked by a result and comes back; a legacy one in the middle of its call: `asking2.py stdio|http|sse`.
"""

import socket
import sys
import warnings

import mcp_types as types
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPDeprecationWarning
from pydantic import BaseModel

# Sampling of the legacy era is asked for on purpose.
warnings.simplefilter("ignore", MCPDeprecationWarning)
server = MCPServer("asking-py2")
SCHEMA = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}


class Said(BaseModel):
    """What a form asks for."""

    said: str


def is_modern(ctx):
    return ctx.session.protocol_version == "2026-07-28"


def asked(ctx, request):
    """The answer to what a modern client is asked, or the result that asks it."""
    answer = (ctx.input_responses or {}).get("answer")
    return answer, types.InputRequiredResult(input_requests={"answer": request})


def told(answer):
    content = getattr(answer, "content", None)
    return f"{answer.action}: {content['said']}" if content else answer.action


@server.tool()
async def form(about: str, ctx: Context) -> str | types.InputRequiredResult:
    message = f"form about {about}"
    if not is_modern(ctx):
        answer = await ctx.elicit(message, Said)
        return f"accept: {answer.data.said}" if answer.action == "accept" else answer.action
    params = types.ElicitRequestFormParams(message=message, requested_schema=SCHEMA)
    answer, result = asked(ctx, types.ElicitRequest(params=params))
    return told(answer) if answer else result


@server.tool()
async def page(about: str, ctx: Context) -> str | types.InputRequiredResult:
    message, url = f"page about {about}", f"https://example.com/{about}"
    if not is_modern(ctx):
        return (await ctx.elicit_url(message, url, f"id of {about}")).action
    answer, result = asked(ctx, types.ElicitRequest(params=types.ElicitRequestURLParams(message=message, url=url)))
    return told(answer) if answer else result


@server.tool()
async def sample(about: str, ctx: Context) -> str | types.InputRequiredResult:
    content = types.TextContent(type="text", text=f"sample about {about}")
    messages = [types.SamplingMessage(role="user", content=content)]
    if is_modern(ctx):
        params = types.CreateMessageRequestParams(messages=messages, max_tokens=100)
        answer, result = asked(ctx, types.CreateMessageRequest(params=params))
    else:
        answer = await ctx.session.create_message(messages, max_tokens=100, related_request_id=ctx.request_id)
        result = None
    return f"{answer.model}: {answer.content.text}" if answer else result


def serve(app):
    """Serves on a free port of the loopback interface, and says which."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


if sys.argv[1:] == ["sse"]:
    serve(server.sse_app())
elif sys.argv[1:] == ["http"]:
    serve(server.streamable_http_app())
else:
    server.run("stdio")
