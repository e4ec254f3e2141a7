export interface SSEOptions {
    /** Sent with every request; a function is called for each, so a token can be renewed. */
    headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
    /** `GET`, or `POST` where there is a body, unless told otherwise. */
    method?: string;
    /** Sent again with every reconnect, so no stream. */
    body?: string | FormData | URLSearchParams | Blob | ArrayBuffer;
    credentials?: RequestCredentials;
    /** Used instead of the global one. */
    fetch?: typeof fetch;
    /** Closes the stream, with the reason `aborted`. */
    signal?: AbortSignal;
    /** Where it begins: the id of the last event that is known. */
    lastEventId?: string;
    /** Milliseconds before it reconnects, until the server sets another time; 3000. Up to half of that is added, and the
     *  time doubles with each failure, up to a minute. A Retry-After is respected, too. */
    retry?: number;
    /** After this many milliseconds without a byte it reconnects; 45000, three heartbeats. 0: never. */
    timeout?: number;
    /** The type of the event after which the stream is over: `end`. Empty: none. */
    endEvent?: string;
}

/** The response is an event stream. */
export interface SSEOpenEvent extends Event {
    readonly status: number;
}

/** A cut, or a failed attempt. It reconnects by itself after `delay` milliseconds. */
export interface SSEErrorEvent extends Event {
    /** Of the response, if there was one. */
    readonly status?: number;
    /** Why there was no response, or why it broke off. */
    readonly error?: unknown;
    readonly delay: number;
}

/** The last event: it does not reconnect. A published event of this type has no reason. */
export interface SSECloseEvent extends Event {
    /** `ended`: by the server, with 204 or its end event. `refused`: trying again would not help. */
    readonly reason: 'ended' | 'refused' | 'aborted' | 'closed' | (string & {});
    readonly status?: number;
}

export interface SSEEventMap {
    open: SSEOpenEvent;
    error: SSEErrorEvent;
    close: SSECloseEvent;
    message: MessageEvent<string>;
    gap: MessageEvent<string>;
    end: MessageEvent<string>;
}

export class SSE extends EventTarget {
    /** Throws if `url` is not a URL. Outside of a page and its workers it must be absolute. */
    constructor(url: string | URL, options?: SSEOptions);
    /** 0: connecting or waiting, 1: open, 2: closed. */
    readonly readyState: 0 | 1 | 2;
    readonly lastEventId: string;
    /** Milliseconds. */
    readonly retry: number;
    close(reason?: string): void;
    addEventListener<K extends keyof SSEEventMap>(
        type: K,
        listener: (this: SSE, event: SSEEventMap[K]) => void,
        options?: boolean | AddEventListenerOptions,
    ): void;
    /** Events of any type that a publisher gives them. */
    addEventListener(
        type: string,
        listener: (this: SSE, event: MessageEvent<string>) => void,
        options?: boolean | AddEventListenerOptions,
    ): void;
}
