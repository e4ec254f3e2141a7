// The usual server for a chat: the answer is the response, a token at a time.
import express from 'express';
import { setTimeout } from 'node:timers/promises';

const app = express();
app.use(express.json());

async function* answer(question) { // stands for a language model
    for (const word of `You have asked: ${question}`.split(/(?<= )/)) {
        await setTimeout(50);
        yield word;
    }
}

app.post('/chat', async (request, response) => {
    response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-cache',
        'Connection': 'keep-alive',
    });
    for await (const token of answer(request.body.question)) {
        response.write(`data: ${JSON.stringify({ token })}\n\n`);
    }
    response.end('data: {"done":true}\n\n');
});

app.listen(9000, '127.0.0.1');
