// The TypeScript SDK of the first generation (legacy era only).
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { answers, capabilities, options, run } from './scenario.mjs';

const { url, transport: way, command, arg, era, plan } = options();
const WAYS = { http: StreamableHTTPClientTransport, sse: SSEClientTransport, websocket: WebSocketClientTransport };
if (era !== 'legacy') throw new Error('this SDK speaks the legacy era only');

const client = new Client({ name: 'real-ts1', version: '1.0.0' }, { capabilities: capabilities(plan) });
if (plan.answers) {
  const answer = answers(plan);
  client.setRequestHandler(ListRootsRequestSchema, () => answer.roots());
  client.setRequestHandler(ElicitRequestSchema, (request) => answer.elicit(request.params));
  client.setRequestHandler(CreateMessageRequestSchema, (request) => answer.sample(request.params));
}

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
      let protocol = null;
      // The SDK tells only its transport which version was agreed.
      const tell = transport.setProtocolVersion?.bind(transport);
      transport.setProtocolVersion = (version) => {
        protocol = version;
        tell?.(version);
      };
      await client.connect(transport);
      const server = client.getServerVersion()?.name ?? null;
      return { protocol, server, capabilities: Object.keys(client.getServerCapabilities()).sort() };
    },
    async list(kind) {
      const items = [];
      let cursor;
      do {
        const page = await client[LIST_METHODS[kind]](cursor === undefined ? {} : { cursor });
        items.push(...page[kind]);
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      return items;
    },
    call: (step, extra) => client.callTool({ name: step.name, arguments: step.arguments }, CallToolResultSchema, extra),
    read: (uri) => client.readResource({ uri }),
    prompt: (params) => client.getPrompt(params),
    complete: (params) => client.complete(params),
    async watch(uri, seen) {
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, (note) => seen(note.params.uri));
      await client.subscribeResource({ uri });
      return () => client.unsubscribeResource({ uri });
    },
    close: () => client.close(),
  },
  plan,
);
