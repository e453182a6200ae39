"""Serves the official fixture on a free port of the loopback interface and says where: `url URL`."""

import uvicorn
from mcp_everything_server import server

startup = uvicorn.Server.startup


async def said(self, sockets=None):
    await startup(self, sockets=sockets)
    port = self.servers[0].sockets[0].getsockname()[1]
    print(f"url http://127.0.0.1:{port}/mcp", flush=True)


uvicorn.Server.startup = said
server.main.callback(port=0, log_level="WARNING")
