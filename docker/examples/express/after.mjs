// The same with nginx: the answer is a channel, to which a page can come back.
import express from 'express';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';

const app = express();
app.use(express.json());

async function* answer(question) { // stands for a language model
    for (const word of `You have asked: ${question}`.split(/(?<= )/)) {
        await setTimeout(50);
        yield word;
    }
}

async function* lines(question) {
    for await (const token of answer(question)) yield `${JSON.stringify({ token })}\n`;
    yield '{"done":true}\n';
}

// One request, whose body stays open until the answer is complete; "end" then ends the channel.
async function write(channel, question) {
    const url = `http://127.0.0.1:8080/publish-lines?channel=${channel}&end`;
    const result = await fetch(url, { method: 'POST', duplex: 'half', body: lines(question) });
    if (!result.ok) throw new Error(`${url}: ${result.status}`);
}

app.post('/chat', (request, response) => {
    const channel = `chat-${randomUUID()}`; // nobody can guess it
    write(channel, request.body.question).catch(console.error);
    response.status(202).json({ channel }); // new EventSource(`/run?channel=${channel}`)
});

app.listen(9000, '127.0.0.1');
