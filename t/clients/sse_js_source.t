# docker/html/sse.js is less than 3 KB when it is minified, and docker/html/sse.d.ts says what it is.
# needs: clients
use v5.36;
use lib 't/lib';
use Cwd qw(abs_path);
use File::Temp ();
use Test::More;
use SSE::Clients;

SSE::Clients::need('terser', 'typescript');
my $modules = 't/clients/node_modules';

my $minified = `$modules/.bin/terser --compress --mangle --module docker/html/sse.js`;
is $?, 0, 'it is minified';
cmp_ok length $minified, '<', 3072, 'to less than 3 KB';
cmp_ok length $minified, '>', 1000, 'and is still there';

# What the compiler says of a program that uses the client.
sub complaints ($program) {
    my $directory = File::Temp->newdir('sse-XXXXXX', TMPDIR => 1);
    symlink abs_path("docker/html/$_"), "$directory/$_" for qw(sse.js sse.d.ts);
    open my $file, '>', "$directory/program.ts" or die "program.ts: $!";
    print $file "import { SSE, type SSEOptions } from './sse.js';\n$program";
    close $file or die "program.ts: $!";
    my $how = '--strict --target es2022 --module esnext --moduleResolution bundler --lib es2022,dom,dom.iterable';
    return scalar `$modules/.bin/tsc --noEmit $how --typeRoots $directory --preserveSymlinks $directory/program.ts`;
}

is complaints(<<'END'), '', 'a program that uses all of it, rightly and wrongly';
const controller = new AbortController();
const options: SSEOptions = {
    headers: async () => ({ authorization: 'Bearer x' }),
    method: 'POST',
    body: JSON.stringify({ question: 'why?' }),
    credentials: 'include',
    signal: controller.signal,
    lastEventId: '0-0',
    retry: 1000,
    timeout: 30000,
    endEvent: '',
};
const stream = new SSE(new URL('https://example.com/events'), options);
stream.addEventListener('open', (event) => { const status: number = event.status; });
stream.addEventListener('error', ({ status, error, delay }) => console.log(status?.toFixed(), error, delay.toFixed()));
stream.addEventListener('close', ({ reason, status }) => console.log(reason === 'refused', status));
stream.addEventListener('gap', (event) => { const { missed } = JSON.parse(event.data); }, { once: true });
stream.addEventListener('price', function (event) { const text: string = event.data + event.lastEventId + this.retry; });
const untyped: EventTarget = stream;
if (stream.readyState !== 2) stream.close();
// The compiler complains where one of these is no mistake.
// @ts-expect-error
new SSE('/', { reconnect: true });
// @ts-expect-error
new SSE('/', { body: new ReadableStream() });
// @ts-expect-error
stream.addEventListener('error', (event) => event.data);
// @ts-expect-error
stream.lastEventId = '7';
END

done_testing;
