// What the asking servers ask, and what they tell of the answer; the same in every language.
const requestedSchema = { type: 'object', properties: { said: { type: 'string' } }, required: ['said'] };

export const form = (about) => ({ message: `form about ${about}`, requestedSchema });
export const page = (about) => ({ message: `page about ${about}`, url: `https://example.com/${about}` });
export const sample = (about) => ({
  messages: [{ role: 'user', content: { type: 'text', text: `sample about ${about}` } }],
  maxTokens: 100,
});

// An answer to any of the three.
export function said(answer) {
  if (!answer.action) {
    const content = Array.isArray(answer.content) ? answer.content[0] : answer.content;
    return `${answer.model}: ${content.text}`;
  }
  return answer.content?.said ? `${answer.action}: ${answer.content.said}` : answer.action;
}
