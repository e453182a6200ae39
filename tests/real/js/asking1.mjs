// A server of the first generation of the TypeScript SDK (legacy era only), whose tools ask the client:
// `asking1.mjs stdio|http|sse`.
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';
import { form, page, sample, said } from './asking.mjs';
import { listen, overHttp } from './sessions.mjs';

const within = (extra) => ({ relatedRequestId: extra.requestId });
const told = (result) => ({ content: [{ type: 'text', text: said(result) }] });
const inputSchema = { about: z.string() };

function made() {
  const server = new McpServer({ name: 'asking-ts1', version: '1.0.0' });
  server.registerTool('form', { inputSchema }, async ({ about }, extra) =>
    told(await server.server.elicitInput(form(about), within(extra))),
  );
  server.registerTool('page', { inputSchema }, async ({ about }, extra) =>
    told(await server.server.elicitInput({ mode: 'url', elicitationId: `id of ${about}`, ...page(about) }, within(extra))),
  );
  server.registerTool('sample', { inputSchema }, async ({ about }, extra) =>
    told(await server.server.createMessage(sample(about), within(extra))),
  );
  return server;
}

// One server for each stream, as this SDK wants it.
function overSse() {
  const streams = new Map();
  const http = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (request.method === 'GET' && url.pathname === '/sse') {
      const stream = new SSEServerTransport('/messages', response);
      streams.set(stream.sessionId, stream);
      response.on('close', () => streams.delete(stream.sessionId));
      return made().connect(stream);
    }
    const stream = streams.get(url.searchParams.get('sessionId'));
    if (request.method !== 'POST' || !stream) return response.writeHead(404).end();
    return stream.handlePostMessage(request, response);
  });
  listen(http);
}

if (process.argv[2] === 'sse') overSse();
else if (process.argv[2] === 'http') overHttp(made);
else await made().connect(new StdioServerTransport());
