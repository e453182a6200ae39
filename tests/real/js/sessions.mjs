// Serves the first generation of the TypeScript SDK over Streamable HTTP, with a server for each session as it wants it,
// on a free port of the loopback interface, and says which.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

export function listen(http) {
  http.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${http.address().port}`));
}

export function overHttp(made) {
  const sessions = new Map();
  const http = createServer(async (request, response) => {
    const id = request.headers['mcp-session-id'];
    let session = sessions.get(id);
    if (id && !session) return response.writeHead(404).end();
    if (!session) {
      session = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (id) => sessions.set(id, session),
        onsessionclosed: (id) => sessions.delete(id),
      });
      await made().connect(session);
    }
    return session.handleRequest(request, response);
  });
  listen(http);
}
