"""A server of the first generation of the Python SDK (legacy era only), whose tools ask the client."""

from mcp.server.fastmcp import Context, FastMCP
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel

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


server.run("stdio")
