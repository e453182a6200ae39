// A server of the second generation of the TypeScript SDK, in the era that its client begins with, whose tools ask:
// `asking2.mjs stdio|http`.
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { McpServer, createMcpHandler, fromJsonSchema, inputRequired } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { form, page, sample, said } from './asking.mjs';

const inputSchema = fromJsonSchema({
  type: 'object',
  properties: { about: { type: 'string' } },
  required: ['about'],
});

const questions = {
  form: (about) => inputRequired.elicit(form(about)),
  page: (about) => inputRequired.elicitUrl(page(about)),
  sample: (about) => inputRequired.createMessage(sample(about)),
};

function made() {
  const server = new McpServer({ name: 'asking-ts2', version: '1.0.0' });
  for (const [name, question] of Object.entries(questions)) {
    server.registerTool(name, { inputSchema }, async ({ about }, context) => {
      const answer = context.mcpReq.inputResponses?.answer;
      if (!answer) return inputRequired({ inputRequests: { answer: question(about) } });
      return { content: [{ type: 'text', text: said(answer) }] };
    });
  }
  return server;
}

// The SDK's handler takes and gives what the fetch of browsers does.
function overHttp() {
  const handler = createMcpHandler(made);
  const http = createServer(async (request, response) => {
    const url = `http://${request.headers.host}${request.url}`;
    const hasBody = request.method === 'POST';
    const body = hasBody ? { body: Readable.toWeb(request), duplex: 'half' } : {};
    const left = new AbortController();
    response.on('close', () => left.abort());
    const { method, headers } = request;
    const answer = await handler.fetch(new Request(url, { method, headers, signal: left.signal, ...body }));
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) Readable.fromWeb(answer.body).on('error', () => response.destroy()).pipe(response);
    else response.end();
  });
  http.listen(0, '127.0.0.1', () => console.log(`listening http://127.0.0.1:${http.address().port}`));
}

if (process.argv[2] === 'http') overHttp();
else serveStdio(made);
