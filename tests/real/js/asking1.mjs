// A server of the first generation of the TypeScript SDK (legacy era only), whose tools ask the client.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';
import { form, page, sample, said } from './asking.mjs';

const server = new McpServer({ name: 'asking-ts1', version: '1.0.0' });
const within = (extra) => ({ relatedRequestId: extra.requestId });
const told = (result) => ({ content: [{ type: 'text', text: said(result) }] });
const inputSchema = { about: z.string() };

server.registerTool('form', { inputSchema }, async ({ about }, extra) =>
  told(await server.server.elicitInput(form(about), within(extra))),
);
server.registerTool('page', { inputSchema }, async ({ about }, extra) =>
  told(await server.server.elicitInput({ mode: 'url', elicitationId: `id of ${about}`, ...page(about) }, within(extra))),
);
server.registerTool('sample', { inputSchema }, async ({ about }, extra) =>
  told(await server.server.createMessage(sample(about), within(extra))),
);
await server.connect(new StdioServerTransport());
