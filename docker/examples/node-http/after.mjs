// The same with nginx: a POST reaches every client of /events?channel=news.
import http from 'node:http';

async function publish(channel, body, type = 'message') {
    const url = `http://127.0.0.1:8080/publish?channel=${channel}&event=${type}`;
    const answer = await fetch(url, { method: 'POST', body });
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer.json(); // {"id":"1795254000123-52718","channel":"news","subscribers":2,"events":1}
}

let count = 0;
setInterval(() => publish('news', String(++count), 'tick').catch(console.error), 1000);

async function notify(request, response) {
    let message = '';
    for await (const part of request) message += part;
    const { subscribers } = await publish('news', message);
    response.end(JSON.stringify({ success: true, clients: subscribers }));
}

http.createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/notify') {
        notify(request, response).catch(() => response.writeHead(502).end());
    } else response.writeHead(404).end();
}).listen(9000, '127.0.0.1');
