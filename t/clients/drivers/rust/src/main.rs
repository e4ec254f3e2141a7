//! drivers CLIENT URL: follows a stream as that client does, and tells a line of JSON for each thing that happens:
//! {"what": "open" | "event" | "error"}. It ends when the client has given up.

use eventsource_client::{Client, ClientBuilder, SSE};
use eventsource_stream::Eventsource;
use futures::StreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use serde_json::json;
use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

fn tell(kind: &str, id: &str, data: &str) {
    println!(
        "{}",
        json!({"what": "event", "type": kind, "id": id, "data": data})
    );
}

fn opened() {
    println!("{}", json!({"what": "open"}));
}

fn trouble(text: impl ToString) {
    println!("{}", json!({"what": "error", "text": text.to_string()}));
}

async fn reqwest_eventsource(url: &str) -> Outcome {
    let mut source = reqwest_eventsource::EventSource::get(url);
    while let Some(event) = source.next().await {
        match event {
            Ok(reqwest_eventsource::Event::Open) => opened(),
            Ok(reqwest_eventsource::Event::Message(event)) => {
                tell(&event.event, &event.id, &event.data)
            }
            Err(error) => trouble(error),
        }
    }
    Ok(())
}

async fn launchdarkly(url: &str) -> Outcome {
    let transport = HyperTransport::builder().build_http()?;
    let client = ClientBuilder::for_url(url)?.build_with_transport(transport);
    let mut stream = client.stream();
    while let Some(event) = stream.next().await {
        match event {
            Ok(SSE::Connected(_)) => opened(),
            Ok(SSE::Event(event)) => tell(
                &event.event_type,
                &event.id.unwrap_or_default(),
                &event.data,
            ),
            Ok(SSE::Comment(_)) => (),
            Err(error) => trouble(error),
        }
    }
    Ok(())
}

async fn eventsource_stream(url: &str) -> Outcome {
    let response = reqwest::get(url).await?.error_for_status()?;
    opened();
    let mut stream = response.bytes_stream().eventsource();
    while let Some(event) = stream.next().await {
        let event = event?;
        tell(&event.event, &event.id, &event.data);
    }
    Ok(())
}

fn sse_client(url: &str) -> Outcome {
    let source = sse_client::EventSource::new(url)?;
    source.on_open(opened);
    source.add_event_listener("error", |event| trouble(event.data));
    for kind in ["message", "note", "ready", "gap", "end"] {
        source.add_event_listener(kind, move |event| tell(kind, &event.id, &event.data));
    }
    while source.state() != sse_client::State::Closed {
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let url = &arguments[2];
    let outcome = match arguments[1].as_str() {
        "reqwest-eventsource" => reqwest_eventsource(url).await,
        "launchdarkly" => launchdarkly(url).await,
        "eventsource-stream" => eventsource_stream(url).await,
        "sse-client" => sse_client(url),
        name => panic!("there is no client {name}"),
    };
    if let Err(error) = outcome {
        trouble(error);
        std::process::exit(1);
    }
}
