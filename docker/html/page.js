// What the pages of the demo have in common.

export const element = (id) => document.getElementById(id);

// The state of the stream, which the page's style sheet knows: connecting, open, closed, paused.
export function showState(state, text = state) {
  element("state").dataset.state = state;
  element("state").textContent = text;
}

// The time of day, with 00 for midnight in every locale: { hour12: false } makes that 24 in some.
export const clock = (date) => date.toLocaleTimeString([], { hourCycle: "h23" });

// Publishes a text: what nginx has answered, or what to tell the reader, with the status that it has refused with.
export async function post(path, body) {
  try {
    const headers = { "Content-Type": "text/plain; charset=utf-8" };
    const response = await fetch(path, { method: "POST", headers, body });
    const result = await response.json();
    return response.ok ? { result } : { trouble: `Refused (${response.status}): ${result.error}`, status: response.status };
  } catch (error) {
    return { trouble: `Not sent: ${error.message}` };
  }
}

// An element with a text and attributes.
export function make(name, text = "", attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.textContent = text;
  return made;
}

// Puts at most `most` children into a list, the newest first.
export function prepend(list, item, most) {
  list.prepend(item);
  while (list.children.length > most) list.lastChild.remove();
}
