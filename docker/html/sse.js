// A client for event streams that can send headers and bodies, and that reconnects where an EventSource gives up.
//
//   import { SSE } from './sse.js';
//   const stream = new SSE('/sub?channel=news', { headers: () => ({ authorization: `Bearer ${token}` }) });
//   stream.addEventListener('message', (event) => show(event.data));
//   stream.addEventListener('gap', (event) => reload(JSON.parse(event.data)));
//   stream.addEventListener('close', (event) => console.log(event.reason));
//
// It reads a stream as WHATWG HTML 9.2.6 says, and reconnects after every cut with the id of the last event. sse.d.ts
// describes the options and the events. Nothing here needs a build; it runs in browsers and in Node from version 18 on.

// Statuses after which trying again can help.
const mayPass = (status) => status >= 500 || [408, 425, 429].includes(status);

// A Retry-After: seconds, or a date.
const milliseconds = (after) => after * 1000 || Date.parse(after) - Date.now() || 0;

// Parses the text of a stream, however it is cut. `data` is undefined where a block has none.
const parser = (onEvent, onRetry) => {
    let rest = '', data, type, id, afterCr;
    const onField = {
        data: (value) => { data = data === undefined ? value : `${data}\n${value}`; },
        event: (value) => { type = value; },
        id: (value) => { id = value.includes('\0') ? id : value; },
        retry: (value) => /^\d+$/.test(value) && onRetry(+value),
    };
    const onLine = (line) => {
        if (line) {
            const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
            if (Object.hasOwn(onField, name)) onField[name](value);
        } else {
            onEvent(data, type || 'message', id);
            data = type = id = undefined;
        }
    };
    return (text) => {
        if (!text) return;
        const lines = (rest + (afterCr && text[0] === '\n' ? text.slice(1) : text)).split(/\r\n?|\n/);
        afterCr = text.endsWith('\r');
        rest = lines.pop();
        lines.forEach(onLine);
    };
};

export class SSE extends EventTarget {
    readyState = 0;
    lastEventId;
    retry;
    #url;
    #options;
    #failures = 0;
    #request;
    #timer;
    #silence;
    #page = new AbortController();

    constructor(url, options = {}) {
        super();
        this.#url = new Request(url).url; // throws if that is not a URL
        this.#options = options;
        this.lastEventId = options.lastEventId ?? '';
        this.retry = options.retry ?? 3000;
        options.signal?.addEventListener('abort', () => this.close('aborted'), { signal: this.#page.signal });
        this.#watchPage();
        queueMicrotask(() => (options.signal?.aborted ? this.close('aborted') : this.#connect()));
    }

    // Ends it for good: only the event `close` follows.
    close(reason = 'closed', status) {
        if (this.readyState === 2) return;
        this.readyState = 2;
        this.#drop();
        this.#page.abort();
        this.#tell('close', { reason, status });
    }

    #tell(type, facts) {
        this.dispatchEvent(Object.assign(new Event(type), facts));
    }

    #drop() {
        clearTimeout(this.#timer);
        clearTimeout(this.#silence);
        this.#request?.abort();
        this.#request = undefined;
        if (this.readyState < 2) this.readyState = 0;
    }

    async #connect() {
        if (this.readyState === 2) return;
        this.#drop();
        const request = (this.#request = new AbortController());
        const { headers, body, method = body ? 'POST' : 'GET', credentials, fetch = globalThis.fetch } = this.#options;
        let status, pause, failure;
        this.#expect(request);
        try {
            const sent = new Headers(typeof headers === 'function' ? await headers() : headers);
            sent.set('accept', 'text/event-stream');
            if (this.lastEventId) sent.set('last-event-id', this.lastEventId);
            const answer = await fetch(this.#url, {
                headers: sent, method, body, credentials, cache: 'no-store', signal: request.signal,
            });
            status = answer.status;
            pause = milliseconds(answer.headers.get('retry-after'));
            if (request !== this.#request) return;
            if (status === 204) return this.close('ended', status);
            if (status === 200 && /^text\/event-stream/i.test(answer.headers.get('content-type'))) {
                this.readyState = 1;
                this.#tell('open', { status });
                await this.#read(answer.body.getReader(), request);
            } else if (!mayPass(status)) {
                return this.close('refused', status);
            }
        } catch (error) {
            failure = error;
        }
        this.#later(request, { status, error: failure }, pause);
    }

    async #read(reader, request) {
        const { endEvent = 'end' } = this.#options;
        const decoder = new TextDecoder(); // drops a byte order mark
        const push = parser((data, type, id) => {
            if (request !== this.#request) return;
            this.lastEventId = id ?? this.lastEventId;
            if (data === undefined) return;
            this.dispatchEvent(new MessageEvent(type, { data, lastEventId: this.lastEventId }));
            if (type === endEvent) this.close('ended');
        }, (time) => { this.retry = time; });
        for (let piece; !(piece = await reader.read()).done && request === this.#request;) {
            this.#failures = 0;
            this.#expect(request);
            push(decoder.decode(piece.value, { stream: true }));
        }
    }

    // A server that is silent for three heartbeats is gone.
    #expect(request) {
        clearTimeout(this.#silence);
        const { timeout = 45000 } = this.#options;
        if (timeout) this.#silence = setTimeout(() => this.#later(request, { error: new Error('silence') }), timeout);
    }

    // Not earlier than the server says, not all clients at once, and less often while it fails.
    #later(request, facts, least = 0) {
        if (request !== this.#request || this.readyState === 2) return;
        this.#drop();
        const pause = Math.min(Math.max(this.retry, 100) * 2 ** this.#failures++, Math.max(60000, this.retry));
        const delay = Math.min(Math.max(least, pause) * (1 + Math.random() / 2), 2 ** 31 - 1);
        this.#timer = setTimeout(() => this.#connect(), delay);
        this.#tell('error', { ...facts, delay });
    }

    // A page that is frozen, or kept for the Back button, has no stream, and gets what it has missed when it is back.
    // If the user looks at it again, or the network is back, it reconnects at once.
    #watchPage() {
        const page = globalThis.document;
        if (!page) return;
        const on = (target, type, listener) => target.addEventListener(type, listener, { signal: this.#page.signal });
        const sleep = () => this.#drop();
        const wake = () => this.#request || this.#connect();
        on(window, 'pagehide', sleep);
        on(page, 'freeze', sleep);
        on(window, 'pageshow', wake);
        on(page, 'resume', wake);
        on(window, 'online', wake);
        on(page, 'visibilitychange', () => page.hidden || wake());
    }
}
