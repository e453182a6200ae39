// Plays a plan (a JSON list of steps) with any client that has the methods of `ts1.mjs`, one JSON line a step.
import { readFileSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';

// One step may wait for a slow child's start; the Rust side bounds the whole run.
const STEP_MS_MAX = 60_000;
const LIST_PAUSE_MS = 100;

// Standard output carries the report; what an SDK wants to say goes to standard error.
for (const level of ['log', 'info', 'debug']) console[level] = console.error;

const LISTS = { tools: 'tools', resources: 'resources', templates: 'resourceTemplates', prompts: 'prompts' };

export function options() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      transport: { type: 'string', default: 'http' },
      command: { type: 'string' },
      arg: { type: 'string', multiple: true, default: [] },
      era: { type: 'string', default: 'legacy' },
      plan: { type: 'string' },
    },
  });
  if (!values.plan || !values.url === !values.command) {
    throw new Error('usage: (--url URL | --command CMD [--arg ARG]...) [--era legacy|modern] --plan FILE');
  }
  const plan = JSON.parse(readFileSync(values.plan, 'utf8'));
  return { ...values, plan };
}

// A client can be asked only if its plan says what it answers.
export function capabilities(plan) {
  return plan.answers ? { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} } : {};
}

// A person who fills every form with the same, or one who says what was asked and opens all pages but one.
function elicited(answers, params) {
  if (!answers.says) return { action: 'accept', content: answers.elicit };
  if (params.mode === 'url') return { action: params.url.endsWith('/no') ? 'decline' : 'accept' };
  return { action: 'accept', content: { said: `said: ${params.message}` } };
}

// What a client answers when a server asks it; the same in every language.
export function answers(plan) {
  return {
    roots: () => ({ roots: plan.answers.roots }),
    elicit: (params) => elicited(plan.answers, params),
    sample: (params) => {
      const content = params.messages.at(-1).content;
      const text = (Array.isArray(content) ? content[0] : content).text;
      return { role: 'assistant', content: { type: 'text', text: `sampled: ${text}` }, model: 'canned', stopReason: 'endTurn' };
    },
  };
}

function failure(error) {
  const code = typeof error?.code === 'number' ? error.code : null;
  // The first generation puts the code before what the server said.
  const prefix = error?.name === 'McpError' ? `MCP error ${code}: ` : '';
  const text = String(error?.message ?? error);
  const message = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  return { error: { code, name: error?.name ?? 'Error', message, data: error?.data } };
}

// Cancels after the first progress, so that the call is certainly under way.
async function cancel(client, step) {
  const stop = new AbortController();
  let progress = 0;
  const onprogress = () => {
    progress += 1;
    stop.abort('the test has seen enough');
  };
  try {
    const result = await client.call(step, { onprogress, signal: stop.signal });
    return { progress, result };
  } catch (error) {
    return { progress, surfaced: failure(error).error };
  }
}

async function progress(client, step) {
  const progress = [];
  const onprogress = (p) => progress.push([p.progress, p.total ?? null]);
  const result = await client.call(step, { onprogress });
  return { progress, result };
}

// The trigger is a tool that starts updates on its first call and ends them on the second.
async function watch(client, step) {
  let seen;
  const update = new Promise((resolve) => (seen = resolve));
  const end = await client.watch(step.uri, seen);
  const result = await client.call(step.trigger, {});
  if (result.isError) return { result };
  const updated = await update;
  await client.call(step.trigger, {});
  await end();
  return { updated, result };
}

// A gateway may list its mounts one by one as they come up: `until` names what must be there.
async function list(client, step) {
  // A little before the step's own limit, so that this says what was awaited.
  const end = Date.now() + STEP_MS_MAX - 1000;
  for (;;) {
    const items = await client.list(LISTS[step.do]);
    const missing = (start) => !items.some((item) => item.name.startsWith(start));
    const awaited = (step.until ?? []).filter(missing);
    if (awaited.length === 0) return { items };
    if (Date.now() > end) throw new Error(`not listed within ${STEP_MS_MAX} ms: ${awaited}`);
    await new Promise((resolve) => setTimeout(resolve, LIST_PAUSE_MS));
  }
}

async function play(client, step) {
  if (step.do in LISTS) return list(client, step);
  if (step.do === 'call') return { result: await client.call(step, {}) };
  if (step.do === 'read') return { result: await client.read(step.uri) };
  if (step.do === 'prompt') return { result: await client.prompt({ name: step.name, arguments: step.arguments }) };
  if (step.do === 'complete') {
    const { ref, argument, context } = step;
    return { result: await client.complete(context ? { ref, argument, context } : { ref, argument }) };
  }
  if (step.do === 'progress') return progress(client, step);
  if (step.do === 'cancel') return cancel(client, step);
  if (step.do === 'watch') return watch(client, step);
  throw new Error(`no such step: ${step.do}`);
}

function bounded(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no outcome within ${STEP_MS_MAX} ms`)), STEP_MS_MAX);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Synchronous, so that nothing is lost when the process exits.
function say(line) {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

export async function run(client, plan) {
  try {
    say({ step: 'connect', ...(await bounded(client.connect())) });
  } catch (error) {
    say({ step: 'connect', ...failure(error) });
    process.exit(1);
  }
  for (const step of plan.steps) {
    try {
      say({ step: step.step, ...(await bounded(play(client, step))) });
    } catch (error) {
      say({ step: step.step, ...failure(error) });
    }
  }
  await bounded(client.close());
  say({ step: 'close' });
  process.exit(0);
}
