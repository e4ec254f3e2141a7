// drivers CLIENT URL: follows a stream as that client does, and prints a line of JSON for each thing that happens:
// {"what": "open" | "event" | "error"}. It ends when the client has given up.
package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"

	donovanhide "github.com/donovanhide/eventsource"
	launchdarkly "github.com/launchdarkly/eventsource"
	r3labs "github.com/r3labs/sse/v2"
	tmaxmax "github.com/tmaxmax/go-sse"
)

type told struct {
	What string `json:"what"`
	Type string `json:"type"`
	ID   string `json:"id"`
	Data string `json:"data"`
	Text string `json:"text,omitempty"`
}

var out = json.NewEncoder(os.Stdout)

func tell(kind, id, data string) { _ = out.Encode(told{What: "event", Type: kind, ID: id, Data: data}) }
func trouble(err error)          { _ = out.Encode(told{What: "error", Text: err.Error()}) }

func followR3labs(url string) error {
	client := r3labs.NewClient(url, r3labs.ClientMaxBufferSize(1<<20)) // an event of 200 KB is more than its default
	client.ReconnectNotify = nil
	client.OnDisconnect(func(*r3labs.Client) { trouble(errors.New("disconnected")) })
	return client.SubscribeRaw(func(event *r3labs.Event) {
		tell(string(event.Event), string(event.ID), string(event.Data))
	})
}

func followTmaxmax(url string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	connection := tmaxmax.NewConnection(request)
	connection.Buffer(nil, 1<<20) // an event of 200 KB is more than its default
	connection.SubscribeToAll(func(event tmaxmax.Event) { tell(event.Type, event.LastEventID, event.Data) })
	return connection.Connect()
}

// One of the two libraries comes from the other.
type event interface {
	Event() string
	Id() string
	Data() string
}

func follow[E event](events <-chan E, errors <-chan error) error {
	for {
		select {
		case event, open := <-events:
			if !open {
				return nil
			}
			tell(event.Event(), event.Id(), event.Data())
		case err, open := <-errors:
			if !open {
				return nil
			}
			trouble(err)
		}
	}
}

func followLaunchdarkly(url string) error {
	stream, err := launchdarkly.Subscribe(url, "")
	if err != nil {
		return err
	}
	return follow(stream.Events, stream.Errors)
}

func followDonovanhide(url string) error {
	stream, err := donovanhide.Subscribe(url, "")
	if err != nil {
		return err
	}
	return follow(stream.Events, stream.Errors)
}

func main() {
	clients := map[string]func(string) error{
		"r3labs":       followR3labs,
		"tmaxmax":      followTmaxmax,
		"launchdarkly": followLaunchdarkly,
		"donovanhide":  followDonovanhide,
	}
	if err := clients[os.Args[1]](os.Args[2]); err != nil {
		trouble(err)
		os.Exit(1)
	}
}
