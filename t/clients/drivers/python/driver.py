"""driver.py CLIENT URL: follows a stream as that client does, and tells a line of JSON for each thing that happens:
{"what": "open" | "event" | "error"}. It ends when the client has given up."""

import asyncio
import importlib
import importlib.util
import json
import os
import sys
from datetime import timedelta

# Some of them print to the standard output.
told = os.fdopen(os.dup(1), 'w', encoding='utf-8')
os.dup2(2, 1)


def report(**what):
    print(json.dumps(what), file=told, flush=True)


def tell(type, id, data):
    report(what='event', type=type, id=id, data=data)


def httpx_sse(url):
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client() as client, connect_sse(client, 'GET', url) as source:
        source.response.raise_for_status()
        report(what='open')
        for event in source.iter_sse():
            tell(event.event, event.id, event.data)


def aiohttp_client(name):
    async def follow(url):
        client = importlib.import_module(f'{name}.client')
        trouble = lambda: report(what='error', text='')
        opened = lambda: report(what='open')
        source = client.EventSource(url, reconnection_time=timedelta(milliseconds=250), on_open=opened, on_error=trouble)
        async with source:
            async for event in source:
                tell(event.type, event.last_event_id, event.data)

    return lambda url: asyncio.run(follow(url))


def sseclient_py(url):
    import requests
    import sseclient

    response = requests.get(url, stream=True, headers={'Accept': 'text/event-stream'})
    response.raise_for_status()
    report(what='open')
    for event in sseclient.SSEClient(response).events():
        tell(event.event, event.id, event.data)


def sseclient(url):
    # sseclient-py has a package of the same name, which comes first.
    path = next(path for path in (f'{folder}/sseclient.py' for folder in sys.path) if os.path.exists(path))
    spec = importlib.util.spec_from_file_location('btubbs_sseclient', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for event in module.SSEClient(url, retry=250):
        tell(event.event, event.id, event.data)


def requests_sse(url):
    from requests_sse import EventSource

    trouble = lambda: report(what='error', text='')
    opened = lambda: report(what='open')
    with EventSource(url, reconnection_time=timedelta(milliseconds=250), on_open=opened, on_error=trouble) as source:
        for event in source:
            tell(event.type, event.last_event_id, event.data)


def launchdarkly(url):
    from ld_eventsource import SSEClient
    from ld_eventsource.actions import Event, Fault, Start
    from ld_eventsource.config import ErrorStrategy

    # Otherwise it raises an exception after a cut.
    with SSEClient(url, error_strategy=ErrorStrategy.always_continue()) as client:
        for action in client.all:
            if isinstance(action, Event):
                tell(action.event, action.last_event_id, action.data)
            elif isinstance(action, Start):
                report(what='open')
            elif isinstance(action, Fault):
                report(what='error', text=str(action.error))


clients = {
    'httpx-sse': httpx_sse,
    'aiohttp-sse-client': aiohttp_client('aiohttp_sse_client'),
    'aiohttp-sse-client2': aiohttp_client('aiohttp_sse_client2'),
    'sseclient-py': sseclient_py,
    'sseclient': sseclient,
    'requests-sse': requests_sse,
    'launchdarkly-eventsource': launchdarkly,
}

if __name__ == '__main__':
    name, url = sys.argv[1:]
    try:
        clients[name](url)
    except Exception as error:
        report(what='error', text=f'{type(error).__name__}: {error}')
        sys.exit(1)
