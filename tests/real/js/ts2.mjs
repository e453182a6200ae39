// The TypeScript SDK of the second generation, pinned to one of its two eras.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { answers, capabilities, options, run } from './scenario.mjs';

const { url, transport: way, command, arg, era, plan } = options();
const WAYS = { http: StreamableHTTPClientTransport, sse: SSEClientTransport };

const mode = era === 'modern' ? { pin: '2026-07-28' } : 'legacy';
const client = new Client(
  { name: 'real-ts2', version: '1.0.0' },
  { capabilities: capabilities(plan), versionNegotiation: { mode } },
);
if (plan.answers) {
  const answer = answers(plan);
  client.setRequestHandler('roots/list', () => answer.roots());
  client.setRequestHandler('elicitation/create', (request) => answer.elicit(request.params));
  client.setRequestHandler('sampling/createMessage', (request) => answer.sample(request.params));
}

// Every answer shall come from the server, none from this client's own cache.
const fresh = { cacheMode: 'bypass' };

const LIST_METHODS = {
  tools: 'listTools',
  resources: 'listResources',
  resourceTemplates: 'listResourceTemplates',
  prompts: 'listPrompts',
};

await run(
  {
    async connect() {
      const transport = url
        ? new WAYS[way](new URL(url))
        : new StdioClientTransport({ command, args: arg, env: process.env, stderr: 'inherit' });
      await client.connect(transport);
      const server = client.getServerVersion()?.name ?? null;
      const protocol = client.getNegotiatedProtocolVersion();
      return { protocol, server, capabilities: Object.keys(client.getServerCapabilities()).sort() };
    },
    list: async (kind) => (await client[LIST_METHODS[kind]]({}, fresh))[kind],
    call: (step, extra) => client.callTool({ name: step.name, arguments: step.arguments }, extra),
    read: (uri) => client.readResource({ uri }, fresh),
    prompt: (params) => client.getPrompt(params),
    complete: (params) => client.complete(params),
    async watch(uri, seen) {
      client.setNotificationHandler('notifications/resources/updated', (note) => seen(note.params.uri));
      if (era === 'modern') {
        const subscription = await client.listen({ resourceSubscriptions: [uri] });
        return () => subscription.close();
      }
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
    close: () => client.close(),
  },
  plan,
);
