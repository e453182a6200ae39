// The tools that the suite's scenarios of tasks call, of the first generation of the TypeScript SDK: in its experiment
// of 2025-11-25, over Streamable HTTP.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { InMemoryTaskMessageQueue, InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks/stores/in-memory.js';
import { ElicitResultSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { overHttp } from './sessions.mjs';

const TASK = { ttl: 300_000, pollInterval: 100 };
const said = (text, more) => ({ content: [{ type: 'text', text }], ...more });
const after = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

function form(field, type) {
  const requestedSchema = { type: 'object', properties: { [field]: { type } } };
  return { method: 'elicitation/create', params: { mode: 'form', message: field, requestedSchema } };
}

// `begin` does what comes before the task, `work` is the task itself: what it gives is the result, and what it throws
// the error of the task, which has no result then.
function registerTask(server, name, inputSchema, taskSupport, work, begin = async () => {}) {
  server.experimental.tasks.registerToolTask(name, { inputSchema, execution: { taskSupport } }, {
    async createTask(given, extra) {
      const begun = await begin(given, extra);
      const task = await extra.taskStore.createTask(TASK);
      const { taskId } = task;
      const ask = (question) => extra.sendRequest(question, ElicitResultSchema, { relatedTask: { taskId } });
      work(given, ask, begun)
        .then(
          (result) => extra.taskStore.storeTaskResult(taskId, 'completed', result),
          (error) => extra.taskStore.updateTaskStatus(taskId, 'failed', error.message),
        )
        .catch((error) => console.error(`${name}: ${error.message}`)); // it was cancelled before
      return { task };
    },
    getTask: (_, extra) => extra.taskStore.getTask(extra.taskId),
    getTaskResult: (_, extra) => extra.taskStore.getTaskResult(extra.taskId),
  });
}

function made(tasks) {
  const capabilities = { tasks: { cancel: {}, requests: { tools: { call: {} } } } };
  const server = new McpServer({ name: 'tasks-ts1', version: '1.0.0' }, { capabilities, ...tasks });
  server.registerTool('greet', { inputSchema: { name: z.string() } }, ({ name }) => said(`Hello, ${name}!`));
  const slow = { seconds: z.number(), label: z.string() };
  registerTask(server, 'slow_compute', slow, 'optional', async ({ seconds, label }) => {
    await after(seconds);
    return said(`${label}: computed for ${seconds} s`);
  });
  registerTask(server, 'failing_job', {}, 'required', async () => {
    await after(0.3);
    return said('the job failed', { isError: true });
  });
  registerTask(server, 'protocol_error_job', {}, 'required', async () => {
    throw new Error('the job broke');
  });
  registerTask(server, 'confirm_delete', { filename: z.string() }, 'required', async ({ filename }, ask) => {
    await ask(form('confirm', 'boolean'));
    return said(`${filename} is deleted`);
  });
  registerTask(server, 'multi_input', {}, 'required', async (_, ask) => {
    await Promise.all([ask(form('first', 'boolean')), ask(form('second', 'boolean'))]);
    return said('both came');
  });
  registerTask(
    server, 'test_tool_with_task', {}, 'required',
    async (_, ask, name) => said(`Hello, ${name}!`),
    async (_, extra) => {
      const answer = await extra.sendRequest(form('name', 'string'), ElicitResultSchema);
      return answer.content.name;
    },
  );
  return server;
}

// The tasks are those of all sessions.
const tasks = { taskStore: new InMemoryTaskStore(), taskMessageQueue: new InMemoryTaskMessageQueue() };
overHttp(() => made(tasks));
