// Driver CLIENT URL: follows a stream as that client does, and prints a line of JSON for each thing that happens:
// {"what": "open" | "event" | "error"}. It ends when the client has given up.

import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.FaultEvent;
import com.launchdarkly.eventsource.MessageEvent;
import com.launchdarkly.eventsource.StartedEvent;
import jakarta.ws.rs.client.ClientBuilder;
import jakarta.ws.rs.sse.SseEventSource;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.Response;
import okhttp3.sse.EventSource;
import okhttp3.sse.EventSourceListener;
import okhttp3.sse.EventSources;
import org.springframework.core.ParameterizedTypeReference;
import org.springframework.http.codec.ServerSentEvent;
import org.springframework.web.reactive.function.client.WebClient;

public class Driver {
    interface Client {
        void follow(String url) throws Exception;
    }

    static final PrintStream told = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    public static void main(String[] arguments) {
        Map<String, Client> clients = Map.of("okhttp-sse", Driver::okhttp, "okhttp-eventsource", Driver::launchdarkly,
            "jersey", Driver::jersey, "spring", Driver::spring, "jdk", Driver::jdk);
        try {
            clients.get(arguments[0]).follow(arguments[1]);
            System.exit(0);
        } catch (Throwable error) {
            trouble(error);
            System.exit(1);
        }
    }

    static void okhttp(String url) throws InterruptedException {
        CountDownLatch over = new CountDownLatch(1);
        EventSourceListener listener = new EventSourceListener() {
            @Override
            public void onOpen(EventSource source, Response response) {
                opened();
            }

            @Override
            public void onEvent(EventSource source, String id, String type, String data) {
                tell(type, id, data);
            }

            @Override
            public void onClosed(EventSource source) {
                over.countDown();
            }

            @Override
            public void onFailure(EventSource source, Throwable error, Response response) {
                trouble(error != null ? error : "status " + response.code());
                over.countDown();
            }
        };
        EventSources.createFactory(new OkHttpClient()).newEventSource(new Request.Builder().url(url).build(), listener);
        over.await();
    }

    static void launchdarkly(String url) {
        var source = new com.launchdarkly.eventsource.EventSource.Builder(URI.create(url))
            .errorStrategy(ErrorStrategy.alwaysContinue()) // otherwise it throws after a cut
            .build();
        for (var event : source.anyEvents()) {
            if (event instanceof MessageEvent message) {
                tell(message.getEventName(), message.getLastEventId(), message.getData());
            } else if (event instanceof StartedEvent) {
                opened();
            } else if (event instanceof FaultEvent fault) {
                trouble(fault.getCause());
            }
        }
    }

    static void jersey(String url) throws InterruptedException {
        var target = ClientBuilder.newClient().target(url);
        CountDownLatch over = new CountDownLatch(1);
        var source = SseEventSource.target(target).reconnectingEvery(250, TimeUnit.MILLISECONDS).build();
        source.register(event -> tell(event.getName(), event.getId(), event.readData()), Driver::trouble, over::countDown);
        source.open();
        over.await();
    }

    static void spring(String url) {
        WebClient.create().get().uri(URI.create(url)).retrieve()
            .bodyToFlux(new ParameterizedTypeReference<ServerSentEvent<String>>() {})
            .doOnNext(event -> tell(event.event(), event.id(), event.data()))
            .blockLast();
    }

    // Without a library: a line at a time, as the standard says.
    static void jdk(String url) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url)).header("Accept", "text/event-stream").build();
        var response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofLines());
        if (response.statusCode() != 200) {
            throw new Exception("status " + response.statusCode());
        }
        opened();
        String id = "";
        String type = "";
        StringBuilder data = new StringBuilder();
        for (String line : (Iterable<String>) response.body()::iterator) {
            int colon = line.indexOf(':');
            String name = colon < 0 ? line : line.substring(0, colon);
            String value = colon < 0 ? "" : line.substring(colon + 1).replaceFirst("^ ", "");
            if (line.isEmpty()) {
                if (data.length() > 0) {
                    tell(type, id, data.substring(0, data.length() - 1));
                }
                type = "";
                data.setLength(0);
            } else if (name.equals("data")) {
                data.append(value).append('\n');
            } else if (name.equals("event")) {
                type = value;
            } else if (name.equals("id")) {
                id = value;
            }
        }
    }

    static void opened() {
        told.println("{\"what\":\"open\"}");
    }

    static void trouble(Object text) {
        told.println("{\"what\":\"error\",\"text\":" + json(String.valueOf(text)) + "}");
    }

    static void tell(String type, String id, String data) {
        told.println("{\"what\":\"event\",\"type\":" + json(type) + ",\"id\":" + json(id) + ",\"data\":" + json(data) + "}");
    }

    static String json(String text) {
        if (text == null) {
            return "null";
        }
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            out.append(c < ' ' || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : c);
        }
        return out.append('"').toString();
    }
}
