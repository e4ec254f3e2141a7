// What useChat does, without React: sends a message, and resumes when the connection is lost and when the page is loaded.
// Reports a line of JSON for each change of the answer, and for each end of a request. ai_sdk.t has the rest.

import { AbstractChat, DefaultChatTransport } from "ai";

const report = (what) => console.log(JSON.stringify(what));

// The state that React holds.
class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => { this.messages = [...this.messages, message]; this.show(); };
  popMessage = () => { this.messages = this.messages.slice(0, -1); };
  replaceMessage = (index, message) => {
    this.messages = [...this.messages.slice(0, index), message, ...this.messages.slice(index + 1)];
    this.show();
  };
  snapshot = (value) => structuredClone(value);
  shown = "";

  show() {
    const answers = this.messages.filter(({ role }) => role === "assistant");
    const texts = answers.map(({ parts }) => parts.filter(({ type }) => type === "text").map(({ text }) => text).join(""));
    if (texts.join("") !== this.shown) report({ answers: texts });
    this.shown = texts.join("");
  }
}

class Chat extends AbstractChat {
  constructor(id) {
    super({ id, state: new State(), transport: new DefaultChatTransport({ api: "http://127.0.0.1:8080/api/chat" }) });
  }
}

const ended = (chat, what) => report({ ended: what, status: chat.status, messages: chat.messages.length });

const nobody = new Chat("nobody");
await nobody.resumeStream();
ended(nobody, "nothing to resume");

const chat = new Chat("chat-1");
await chat.sendMessage({ text: "Hello?" });
ended(chat, "cut off");
// The killed worker may have had an idle connection, too, of which fetch has not noticed the end.
for (let tries = 0; chat.status === "error" && tries < 10; ++tries) await chat.resumeStream();
ended(chat, "resumed");
await chat.resumeStream();
ended(chat, "resumed after the end");

const loaded = new Chat("chat-1"); // the page is loaded anew
await loaded.resumeStream();
ended(loaded, "loaded");
