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
    /** Milliseconds before it comes back, until the server says otherwise; 3000. Up to a half is added, and while it fails
     *  it waits twice as long each time, up to a minute. What a Retry-After says is waited for, too. */
    retry?: number;
    /** After so many milliseconds without a byte it comes back; 45000, three heartbeats. 0: never. */
    timeout?: number;
    /** The type of the event after which the stream is over: `end`. Empty: none. */
    endEvent?: string;
}

/** The answer is an event stream. */
export interface SSEOpenEvent extends Event {
    readonly status: number;
}

/** A cut, or an attempt that has failed. It comes back by itself, after `delay` milliseconds. */
export interface SSEErrorEvent extends Event {
    /** Of the answer, if there was one. */
    readonly status?: number;
    /** Why there was none, or why it broke off. */
    readonly error?: unknown;
    readonly delay: number;
}

/** The last event: it does not come back. A publisher's event of this type has no reason. */
export interface SSECloseEvent extends Event {
    /** `ended`: by the server, with 204 or its end event. `refused`: it cannot be mended by trying again. */
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
    /** Throws where that is no URL. Outside of a page and its workers it has to be absolute. */
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
