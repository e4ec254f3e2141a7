// The usual server: it keeps its clients, and writes to each of them.
import http from 'node:http';

const clients = new Set();

function listen(response) {
    response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache',
        'Connection': 'keep-alive',
        'Access-Control-Allow-Origin': '*',
    });
    response.write('data: {"type":"connected"}\n\n');
    clients.add(response); // and who removes it?
    let count = 0;
    setInterval(() => response.write(`event: tick\ndata: ${++count}\n\n`), 1000); // and who ends this?
}

async function notify(request, response) {
    let message = '';
    for await (const part of request) message += part;
    for (const client of clients) client.write(`data: ${message}\n\n`);
    response.end(JSON.stringify({ success: true, clients: clients.size }));
}

http.createServer((request, response) => {
    if (request.method === 'GET' && request.url === '/events') listen(response);
    else if (request.method === 'POST' && request.url === '/notify') notify(request, response);
    else response.writeHead(404).end();
}).listen(9000, '127.0.0.1');
