// A server of the second generation of the TypeScript SDK, in the era that its client begins with, whose tools ask.
import { McpServer, fromJsonSchema, inputRequired } from '@modelcontextprotocol/server';
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

serveStdio(() => {
  const server = new McpServer({ name: 'asking-ts2', version: '1.0.0' });
  for (const [name, question] of Object.entries(questions)) {
    server.registerTool(name, { inputSchema }, async ({ about }, context) => {
      const answer = context.mcpReq.inputResponses?.answer;
      if (!answer) return inputRequired({ inputRequests: { answer: question(about) } });
      return { content: [{ type: 'text', text: said(answer) }] };
    });
  }
  return server;
});
