package after;

import java.net.URI;
import java.net.http.*;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.*;

/** The same with nginx: the job publishes, whether or not clients watch, leave and come back. */
@SpringBootApplication
@RestController
public class Server {
    private final ExecutorService jobs = Executors.newCachedThreadPool();
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    @Value("${nginx}")
    private String nginx; // http://127.0.0.1:8080

    private void publish(String channel, String data, String end) throws Exception {
        URI uri = URI.create(nginx + "/publish?channel=" + channel + "&event=progress" + end);
        HttpRequest request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofString(data)).build();
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 201) throw new IllegalStateException(answer.body());
    }

    @PostMapping("/jobs")
    Map<String, String> run() {
        String channel = "job-" + UUID.randomUUID();
        jobs.execute(() -> {
            try {
                for (int step = 1; step <= 20; ++step) {
                    Thread.sleep(100); // stands for work
                    publish(channel, "{\"step\":" + step + ",\"of\":20}", step == 20 ? "&end" : "");
                }
            } catch (Exception failure) {
                failure.printStackTrace();
            }
        });
        return Map.of("channel", channel); // new EventSource(`/run?channel=${channel}`)
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Server.class, arguments);
    }
}
