package before;

import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.*;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;

/** The usual server for a job that takes a while: the job belongs to the connection that watches it. */
@SpringBootApplication
@RestController
public class Server {
    private final ExecutorService jobs = Executors.newCachedThreadPool();
    private final AtomicInteger count = new AtomicInteger();

    @GetMapping("/events")
    SseEmitter run() {
        SseEmitter emitter = new SseEmitter(Long.MAX_VALUE);
        int job = count.incrementAndGet();
        jobs.execute(() -> {
            try {
                for (int step = 1; step <= 20; ++step) {
                    Thread.sleep(100); // stands for work
                    emitter.send(SseEmitter.event().name("progress").data(Map.of("step", step, "of", 20)));
                }
                emitter.complete();
            } catch (Exception gone) { // the client has left, or has lost the connection
                System.err.println("job " + job + " failed");
                emitter.completeWithError(gone);
            }
        });
        return emitter;
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Server.class, arguments);
    }
}
